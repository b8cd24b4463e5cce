"""``camforge data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.shared import ConfigFile, Overrides, group

data = group(
    "An experiment's images: check them, look at them.",
    "camforge data check mine.yaml",
    "camforge data show quickstart",
)


@data.command("check")
def check_data(config: ConfigFile, overrides: Overrides = None) -> None:
    """Decode every image and say every problem. Both splits are opened; exit code 1 where there is one.

    Notes tell what is used as it is and wants a look: masks that disagree with labels, boxes of no area.

    \b
    Examples:
      camforge data check mine.yaml
      camforge data check mine.yaml --set dataset.root=/data/pets
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
    out: Annotated[Path, typer.Option(metavar="FILE", help="The picture to write.")] = Path("contact.png"),
    split: Annotated[str, typer.Option(metavar="SPLIT", help="train or val.")] = "train",
    images: Annotated[int, typer.Option(metavar="N", min=1, max=500, help="How many.")] = 24,
    overrides: Overrides = None,
) -> None:
    """Draw a contact sheet of a split. Its images have their masks, boxes and labels.

    \b
    Examples:
      camforge data show quickstart
      camforge data show mine.yaml --split val --images 60 --out val.png
    """
    from camforge.config.load import load
    from camforge.data.inspection import contact
    from camforge.pictures import save
    from camforge.types import CamForgeError

    if split not in ("train", "val"):
        raise CamForgeError(f"no split {split!r}; splits: train, val")
    typer.echo(save(out, contact(load(config, overrides or ()).experiment.dataset, split, images)))  # type: ignore[arg-type]
