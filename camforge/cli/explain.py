"""``camforge explain``: maps over photographs, no config needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camforge.cli.shared import Device, console


def explain(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Photographs.", show_default=False)],
    model: Annotated[str, typer.Option(help="A backbone plugin or a classifier of torchvision.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The folder for the pictures.", show_default=False)],
    weights: Annotated[str | None, typer.Option(help="A state-dict file or torchvision's name.")] = None,
    extractor: Annotated[str, typer.Option(help="Names, separated by commas.")] = "gradcam",
    target: Annotated[int | None, typer.Option(help="The output to explain.", show_default="highest")] = None,
    outputs: Annotated[int | None, typer.Option(help="Outputs of the model.", show_default="the file's")] = None,
    device: Device = "auto",
) -> None:
    """Overlay maps on photographs; no config needed. ImageNet preprocessing: 224 pixels, centre crop."""
    from rich.table import Table

    from camforge.explanation.photographs import backbone, explain_files
    from camforge.training.device import pick_device
    from camforge.types import CamForgeError

    if missing := [str(path) for path in images if not path.exists()]:
        raise CamForgeError(f"no such file: {', '.join(missing)}")
    names = [name.strip() for name in extractor.split(",") if name.strip()]
    table = Table("image", "extractor", "target", "class", "logit", "picture")
    failed: list[CamForgeError] = []
    network = backbone(model, weights, outputs)
    for made in explain_files(images, network, names, target, out, pick_device(device)):
        if isinstance(made, CamForgeError):
            failed.append(made)
        else:
            table.add_row(
                str(made.source), made.extractor, str(made.target), made.label, f"{made.logit:.2f}", str(made.picture)
            )
    if not table.rows:
        raise CamForgeError("; ".join(map(str, failed)) or "no extractor was named")
    console().print(table)
    for error in failed:
        typer.echo(f"skipped: {error}", err=True)
