"""What one asks of a finished run: ``camforge export``, ``oracle`` and ``sanity``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.shared import Device, Quiet, Threshold, WorkDir, console


def export(
    folder: WorkDir,
    out: Annotated[Path, typer.Option(help="The folder to make.", show_default=False)],
    arm: Annotated[str | None, typer.Option(help="Which arm.", show_default="the first")] = None,
    split: Annotated[str, typer.Option(help="train or val.")] = "train",
    threshold: Threshold = 0.15,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Seeds for the next step: masks (PNG), boxes (COCO's JSON) and raw maps (npz) of a finished experiment."""
    from camforge.analysis.export import export as export_arm

    made = export_arm(folder, out, arm=arm, split=split, threshold=threshold, device=device, quiet=quiet)
    typer.echo(f"{made.images} images, {made.boxes} boxes, {made.shards} files of maps: {out}")


def oracle(
    folder: WorkDir,
    arm: Annotated[str | None, typer.Option(help="One that pairs classes.", show_default="the last")] = None,
    threshold: Threshold = 0.15,
    device: Device = "auto",
) -> None:
    """ORACLE: the best pairs of each class, judged by the validation masks. A bound, no method."""
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
    arm: Annotated[list[str] | None, typer.Option(help="May be repeated.", show_default="all")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the new parameters.")] = 0,
    device: Device = "auto",
) -> None:
    """How much the maps change when the network's parameters are lost, from the head down: 1 not at all."""
    from rich.table import Table

    from camforge.analysis.sanity import sanity as find

    found = find(folder, arm or (), seed=seed, device=device)
    table = Table("arm", "likeness", *found.steps)
    for name, measure, numbers in found.rows():
        table.add_row(name, measure, *(f"{number:.2f}" for number in numbers))
    console().print(table)
    typer.echo(f"written: {folder / 'sanity.csv'}")
