"""``camforge data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.shared import ConfigFile, Overrides, group

data = group("An experiment's images: check them, look at them.")


@data.command("check")
def check_data(config: ConfigFile, overrides: Overrides = None) -> None:
    """Open both splits, decode every image, and say every problem; exit code 1 where there is one.

    Notes tell what is used as it is and wants a look: masks that disagree with labels, boxes of no area.
    """
    from camforge.config.load import load
    from camforge.data.inspection import inspect
    from camforge.progress.progress import Progress

    wrong = 0
    for found in inspect(load(config, overrides or ()).experiment.dataset, Progress().task):
        counts = ", ".join(f"{name} {count}" for name, count in found.counts.items())
        typer.echo(f"{found.split}: {found.images} images{': ' if counts else ''}{counts}")
        for problem in found.problems:
            typer.echo(f"  {problem}")
        for note in found.notes:
            typer.echo(f"  note: {note}")
        wrong += len(found.problems)
    typer.echo(f"{wrong} problems" if wrong else "no problems")
    raise typer.Exit(1 if wrong else 0)


@data.command("show")
def show_data(
    config: ConfigFile,
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("contact.png"),
    split: Annotated[str, typer.Option(help="train or val.")] = "train",
    images: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 24,
    overrides: Overrides = None,
) -> None:
    """A contact sheet: images spread over a split, with their masks, boxes and labels."""
    from camforge.config.load import load
    from camforge.data.inspection import contact
    from camforge.pictures import save
    from camforge.types import CamForgeError

    if split not in ("train", "val"):
        raise CamForgeError(f"no split {split!r}; splits: train, val")
    typer.echo(save(out, contact(load(config, overrides or ()).experiment.dataset, split, images)))  # type: ignore[arg-type]
