"""The app: every command in its place, and how a mistake of the user ends."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from camforge.cli import analysis
from camforge.cli.app import app as serve
from camforge.cli.config import config
from camforge.cli.data import data
from camforge.cli.explain import explain
from camforge.cli.plugins import plugins
from camforge.cli.run import bench, run
from camforge.cli.store import store

_HELP = """Class activation maps as experiments: group, train, extract, fuse, measure - every step a plugin.

\b
Examples:
  camforge explain photo.jpg --model resnet50 --out maps
  camforge run quickstart
  camforge plugins list extractors
  camforge bench --list
"""
app = typer.Typer(
    name="camforge", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=_HELP,
)  # fmt: skip
for command in (run, bench, analysis.export, analysis.oracle, analysis.sanity, explain):
    app.command()(command)
app.command("app")(serve)
app.add_typer(plugins, name="plugins")
app.add_typer(config, name="config")
app.add_typer(data, name="data")
app.add_typer(store, name="store")


def _version(wanted: bool) -> None:
    if wanted:
        from camforge import __version__

        typer.echo(f"camforge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line; a mistake of the user is one message and exit code 2, a fault of ours one line and 70."""
    try:
        app()
    except Exception as error:
        if os.environ.get("CAMFORGE_TRACEBACK"):
            raise
        message, code = _told(error)
        print(f"camforge: {message}", file=sys.stderr)
        sys.exit(code)


def _told(error: Exception) -> tuple[str, int]:
    """What is said of an error, and the exit code."""
    from camforge.host.errors import message_of
    from camforge.types import CamForgeError

    if isinstance(error, CamForgeError):
        return str(error), 2
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the disk'}: {error.strerror}", 2
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{where.filename}:{where.lineno}"
    return f"{type(error).__name__}: {message_of(error)} ({place}; CAMFORGE_TRACEBACK=1 tells all)", 70
