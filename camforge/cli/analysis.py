"""What one asks of a finished run: ``camforge export``, ``oracle`` and ``sanity``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.shared import Device, Quiet, Threshold, WorkDir, console


def export(
    folder: WorkDir,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to make.", show_default=False)],
    arm: Annotated[str | None, typer.Option(metavar="ARM", help="Which arm.", show_default="the first")] = None,
    split: Annotated[str, typer.Option(metavar="SPLIT", help="train or val.")] = "train",
    threshold: Threshold = 0.15,
    background: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Below it background; up to the threshold 255, not sure.",
            show_default="the threshold",
        ),
    ] = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Write masks, boxes and maps of a finished run. Seeds for the next step: PNG, COCO's JSON, npz.

    \b
    Examples:
      camforge export work/quickstart --out seeds
      camforge export work/quickstart --out seeds --arm grouping --split val
      camforge export work/quickstart --out seeds --threshold 0.5 --background 0.2
    """
    from camforge.analysis.export import export as export_arm

    made = export_arm(
        folder, out, arm=arm, split=split, threshold=threshold, background=background, device=device, quiet=quiet
    )
    typer.echo(f"{made.images} images, {made.boxes} boxes, {made.shards} files of maps: {out}")


def oracle(
    folder: WorkDir,
    arm: Annotated[
        str | None, typer.Option(metavar="ARM", help="One that pairs classes.", show_default="the last")
    ] = None,
    threshold: Threshold = 0.15,
    device: Device = "auto",
) -> None:
    """Find each class's best pairs by the validation masks. ORACLE is a bound, no method.

    \b
    Examples:
      camforge oracle work/paper002_table1_small
      camforge oracle work/mine --arm pairs --threshold 0.2
    """
    from rich.table import Table

    from camforge.analysis.oracle import oracle as find

    found = find(folder, arm, threshold, device)
    table = Table("IoU, percent", *found.classes, "mean")
    for name, values in found.rows():
        table.add_row(name, *("–" if value != value else f"{value:.1f}" for value in values))
    console().print(table)
    typer.echo(f"written: {folder / 'oracle.csv'}")


def sanity(
    folder: WorkDir,
    arm: Annotated[list[str] | None, typer.Option(metavar="ARM", help="May be repeated.", show_default="all")] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the new parameters.")] = 0,
    device: Device = "auto",
) -> None:
    """Tell how maps change as a network loses its weights. From the head down; 1 is not at all.

    \b
    Examples:
      camforge sanity work/quickstart
      camforge sanity work/quickstart --arm baseline --seed 1
    """
    from rich.table import Table

    from camforge.analysis.sanity import sanity as find

    found = find(folder, arm or (), seed=seed, device=device)
    table = Table("arm", "likeness", *found.steps)
    for name, measure, numbers in found.rows():
        table.add_row(name, measure, *(f"{number:.2f}" for number in numbers))
    console().print(table)
    typer.echo(f"written: {folder / 'sanity.csv'}")
