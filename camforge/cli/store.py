"""``camforge store``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.shared import console, group

store = group("Finished stages: list them, verify them, throw some away.")

StoreFolder = Annotated[Path, typer.Argument(metavar="STORE", help="The store's folder.")]


@store.command("ls")
def list_store(folder: StoreFolder = Path("work/store")) -> None:
    """Every finished stage: its size, its age, and what made it."""
    from rich.table import Table

    from camforge.store.maintenance import list_entries

    table = Table("stage", "MiB", "days", "made by")
    held = list(list_entries(folder))
    for item in held:
        table.add_row(item.name, f"{item.size / 2**20:.1f}", f"{item.days:.1f}", item.about)
    console().print(table)
    typer.echo(f"{len(held)} stages, {sum(item.size for item in held) / 2**20:.1f} MiB")


@store.command("verify")
def verify_store(folder: StoreFolder = Path("work/store")) -> None:
    """Compare every file with its checksum; exit code 1 where a stage is damaged."""
    from camforge.store.maintenance import damaged

    wrong = damaged(folder)
    for name, problem in wrong.items():
        typer.echo(f"{name}: {problem}")
    typer.echo(f"{len(wrong)} damaged" if wrong else "all whole")
    raise typer.Exit(1 if wrong else 0)


@store.command("prune")
def prune_store(
    folder: StoreFolder = Path("work/store"),
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", help="Finished stages older than this, too.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Throw away damaged stages, and what unfinished ones left more than a day ago."""
    from camforge.store.maintenance import prunable, prune

    doomed = prunable(folder, older_than)
    for path in doomed:
        typer.echo(path.name)
    if doomed and (yes or typer.confirm(f"Remove these {len(doomed)}?")):
        typer.echo(f"freed {prune(doomed) / 2**20:.1f} MiB")
    elif not doomed:
        typer.echo("nothing to remove")
