"""What the commands share: their common options, and the console that tables are printed on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camforge.cli.completion import experiments

if TYPE_CHECKING:
    from rich.console import Console

ConfigFile = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", help="A .py, .yaml or .json file, or a name such as quickstart.", show_default=False,
        autocompletion=experiments,
    ),
]  # fmt: skip
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set one value, such as trainer.epochs=3. May be repeated."),
]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")]
WorkDir = Annotated[Path, typer.Argument(metavar="WORKDIR", help="A finished experiment's.", show_default=False)]
Fresh = Annotated[bool, typer.Option("--fresh", help="Forget what earlier runs finished.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing until the end.")]
Workers = Annotated[int, typer.Option(metavar="N", min=1, help="Trainings and extractions side by side, in processes.")]
Cluster = Annotated[
    str | None, typer.Option(metavar="dask://HOST:PORT", help="The same on a Dask cluster that sees the store.")
]
Threshold = Annotated[float, typer.Option(metavar="SHARE", min=0, max=1, help="Of the maximum of each map.")]


def group(help_text: str, *examples: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(no_args_is_help=True, help=f"{help_text}\n\n\b\n{_examples(examples)}")


def _examples(lines: Sequence[str]) -> str:
    return "\n".join(["Examples:", *(f"  {line}" for line in lines)])


def console() -> Console:
    """As wide as the terminal; wide enough for whole lines where there is none."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200
    return Console(width=width, markup=False, highlight=False)
