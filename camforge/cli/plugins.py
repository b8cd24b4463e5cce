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
def search(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORDS", help="All must occur.", show_default="all there are")
    ] = None,
    kind: Annotated[str, typer.Option(metavar="KIND", help="Only those with a plugin of this kind.")] = "",
    catalogue: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another list of plugins.", show_default="CamForge's own")
    ] = None,
) -> None:
    """Search the plugins that are known. Installed or not: what they give, and where they are to be had.

    \b
    Examples:
      camforge plugins search metric
      camforge plugins search --kind dataset
    """
    from rich.table import Table

    from camforge.host import known

    found = known.search(known.known_plugins(catalogue or known.CATALOGUE), words or (), kind)
    table = Table("distribution", "gives", "what it is", "licence", "installed", "source")
    for entry in found:
        table.add_row(
            entry.distribution, entry.told(), entry.about, entry.licence, entry.installed or "no", entry.source
        )
    console().print(table if found else "nothing that is known has all of these words")


@plugins.command()
def page(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name, or kind:name.", show_default=False)],
    scores: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Scores of suites.", show_default="work/bench/*/scores, and those shipped"),
    ] = None,
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the page goes.")] = Path(),
) -> None:
    """Write a page about plugins. It tells what a plugin is, its options, its numbers in every suite that was run.

    \b
    Examples:
      camforge plugins page layercam
      camforge plugins page metric:miou --into pages
    """
    from camforge.host.describe import named
    from camforge.host.registry import registry
    from camforge.suite.plugin_pages import known_scores, write_plugin_pages

    for path in write_plugin_pages(into, named(registry(), name), scores or known_scores()):
        typer.echo(f"page: {path}")


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
    author: Annotated[str, typer.Option(metavar="NAME", help="For the licence.")] = "",
    repository: Annotated[str, typer.Option(metavar="URL", help="For the links and the badge.")] = "",
) -> None:
    """Write a distribution with one plugin. It has tests that pass at once, licence, README, workflows.

    \b
    Examples:
      camforge plugins new extractor mycam
      camforge plugins new metric mymetric --into ~/plugins
    """
    from camforge.host.skeleton import write

    folder = write(kind, name, into, author, repository)
    typer.echo(f"{folder}: try it with\n  cd {folder} && python -m pytest\n  pip install -e {folder}")
