"""``camforge store``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.shared import console, group

store = group(
    "Finished stages: list them, verify them, throw some away.",
    "camforge store ls",
    "camforge store verify",
)

StoreFolder = Annotated[Path, typer.Argument(metavar="STORE", help="The store's folder.")]


@store.command("ls")
def list_store(folder: StoreFolder = Path("work/store")) -> None:
    """List every finished stage. What else lies there too: size, age, what made it or what it is.

    \b
    Examples:
      camforge store ls
      camforge store ls work/quickstart/store
    """
    from rich.table import Table

    from camforge.store.maintenance import list_entries

    table = Table("name", "MiB", "days", "made by")
    held = list(list_entries(folder))
    for item in held:
        table.add_row(item.name, f"{item.size / 2**20:.1f}", f"{item.days:.1f}", item.about)
    console().print(table)
    typer.echo(f"{len(held)} entries, {sum(item.size for item in held) / 2**20:.1f} MiB")


@store.command("verify")
def verify_store(folder: StoreFolder = Path("work/store")) -> None:
    """Compare every file with its checksum. Exit code 1 where a stage is damaged or cannot be read.

    \b
    Examples:
      camforge store verify work/quickstart/store
    """
    from camforge.store.maintenance import kind_of, verify

    wrong = list(verify(folder))
    for finding in wrong:
        typer.echo(f"{finding.name}: {finding.problem}")
    kinds = [finding.kind for finding in wrong]
    counts = [f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)]
    finished = sum(kind_of(path) == "finished" for path in folder.iterdir())
    whole = f"all {finished} whole" if finished else f"no finished stages in {folder}"
    typer.echo(", ".join(counts) or whole)
    raise typer.Exit(1 if wrong else 0)


@store.command("prune")
def prune_store(
    folder: StoreFolder = Path("work/store"),
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Finished stages older than this, too.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Throw away damaged and unfinished stages. Those moved aside too, and what was left more than a day ago.

    \b
    Examples:
      camforge store prune
      camforge store prune work/quickstart/store --older-than 30 --yes
    """
    from camforge.store.maintenance import prunable, prune

    doomed = prunable(folder, older_than)
    for path in doomed:
        typer.echo(path.name)
    if doomed and (yes or typer.confirm(f"Remove these {len(doomed)}?")):
        typer.echo(f"freed {prune(doomed) / 2**20:.1f} MiB")
    elif not doomed:
        typer.echo("nothing to remove")
