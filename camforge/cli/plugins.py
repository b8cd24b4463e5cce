"""``camforge plugins``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.shared import console, group

plugins = group("What is installed: list it, look at one, check it, start a new one.")


@plugins.command("list")
def list_plugins(kind: Annotated[str | None, typer.Argument(help="Only this kind.")] = None) -> None:
    """Every installed plugin in one line each, and what was rejected, at what step and why."""
    from rich.table import Table

    from camforge.host.describe import plugins_of, rejected_lines
    from camforge.host.registry import registry

    table = Table("kind", "name", "what it is", "distribution", "version")
    for plugin_class in plugins_of(registry(), kind):
        table.add_row(
            plugin_class.kind,
            plugin_class.cls.name,
            plugin_class.cls.summary(),
            plugin_class.distribution,
            plugin_class.version,
        )
    console().print(table)
    rejected = list(rejected_lines(registry()))
    if rejected:
        table = Table("distribution", "entry", "step", "reason", title="Rejected", title_justify="left")
        for line in rejected:
            table.add_row(*line)
        console().print(table)


@plugins.command()
def show(name: Annotated[str, typer.Argument(help="A name, or kind:name.", show_default=False)]) -> None:
    """One plugin: its docstring, its options with types and defaults, an example."""
    from camforge.host.describe import named, page
    from camforge.host.registry import registry

    for plugin_class in named(registry(), name):
        page(plugin_class, console())


@plugins.command()
def check(
    distributions: Annotated[list[str] | None, typer.Argument(help="Only these.", show_default="all")] = None,
    seconds: Annotated[float, typer.Option(help="How long one plugin may take to load.")] = 60.0,
) -> None:
    """Load each plugin in a process of its own; exit code 1 where one does not work."""
    from camforge.host.checkup import check_all

    wrong = 0
    for verdict in check_all(seconds, distributions or ()):
        wrong += bool(verdict.wrong)
        what = "; ".join([*verdict.wrong, *([f"gives {', '.join(verdict.gives)}"] if verdict.gives else [])])
        line = " ".join(what.split())
        typer.echo(f"{'WRONG' if verdict.wrong else 'ok':5} {verdict.distribution}:{verdict.entry}: {line}")
    raise typer.Exit(1 if wrong else 0)


@plugins.command()
def new(
    kind: Annotated[str, typer.Argument(help="Any kind: extractor, fuser, metric, …", show_default=False)],
    name: Annotated[str, typer.Argument(help="The plugin's name in configs.", show_default=False)],
    into: Annotated[Path, typer.Option(help="The folder to make it in.")] = Path(),
) -> None:
    """Write a small distribution with one plugin, whose tests pass at once."""
    from camforge.host.skeleton import write

    folder = write(kind, name, into)
    typer.echo(f"{folder}: try it with\n  cd {folder} && python -m pytest\n  pip install -e {folder}")
