"""``camforge plugins``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.completion import kinds
from camforge.cli.completion import plugins as names
from camforge.cli.shared import console, group

plugins = group(
    "Plugins: list them, look at one, check them, start one.",
    "camforge plugins list",
    "camforge plugins show layercam",
)


@plugins.command("list")
def list_plugins(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="Only this kind.", show_default=False, autocompletion=kinds)
    ] = None,
) -> None:
    """List every installed plugin. Below stands what was rejected, at what step and why.

    \b
    Examples:
      camforge plugins list
      camforge plugins list extractors
    """
    from rich.table import Table

    from camforge.host.describe import plugins_of, rejected_lines
    from camforge.host.discovery import GROUP
    from camforge.host.registry import registry

    table = Table("kind", "name", "what it is")
    found = plugins_of(registry(), kind)
    strangers = any(plugin_class.distribution != GROUP for plugin_class in found)
    if strangers:  # CamForge's own need no column that says so
        table.add_column("distribution")
    for plugin_class in found:
        origin = [f"{plugin_class.distribution} {plugin_class.version}"] if strangers else []
        table.add_row(plugin_class.kind, plugin_class.cls.name, plugin_class.cls.summary(), *origin)
    console().print(table)
    rejected = list(rejected_lines(registry()))
    if rejected:
        table = Table("distribution", "entry", "step", "reason", title="Rejected", title_justify="left")
        for line in rejected:
            table.add_row(*line)
        console().print(table)


@plugins.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name, or kind:name.", show_default=False, autocompletion=names)
    ],
) -> None:
    """Explain one plugin and its options. With types, defaults and an example.

    \b
    Examples:
      camforge plugins show layercam
      camforge plugins show fuser:mean
    """
    from camforge.host.describe import named, page
    from camforge.host.registry import registry

    for plugin_class in named(registry(), name):
        page(plugin_class, console())


@plugins.command()
def check(
    distributions: Annotated[
        list[str] | None, typer.Argument(metavar="DISTRIBUTION", help="Only these.", show_default="all")
    ] = None,
    seconds: Annotated[float, typer.Option(metavar="SECONDS", help="How long one plugin may take to load.")] = 60.0,
) -> None:
    """Load each plugin in a process of its own. Exit code 1 where one does not work.

    \b
    Examples:
      camforge plugins check
      camforge plugins check camforge-mycam --seconds 20
    """
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
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="Any kind: extractor, fuser, metric, …", show_default=False, autocompletion=kinds
        ),
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name in configs.", show_default=False)],
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to make it in.")] = Path(),
) -> None:
    """Write a small distribution with one plugin. Its tests pass at once.

    \b
    Examples:
      camforge plugins new extractor mycam
      camforge plugins new metric mymetric --into ~/plugins
    """
    from camforge.host.skeleton import write

    folder = write(kind, name, into)
    typer.echo(f"{folder}: try it with\n  cd {folder} && python -m pytest\n  pip install -e {folder}")
