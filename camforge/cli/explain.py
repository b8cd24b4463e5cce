"""``camforge explain``: maps over photographs, no config needed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camforge.cli.completion import methods, models
from camforge.cli.shared import Device, console

if TYPE_CHECKING:
    from rich.progress import Progress

    from camforge.explanation.inputs import Photograph
    from camforge.explanation.page import Overlay


def explain(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Photographs, or folders.", show_default=False)],
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="torchvision:…, timm:…, hf:FOLDER, or a name of torchvision's.",
            show_default=False,
            autocompletion=models,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder for the pictures.", show_default=False)],
    weights: Annotated[
        str | None, typer.Option(metavar="WEIGHTS", help="A file, a name of torchvision's, or random.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "--extractor",
            metavar="METHODS",
            help="Such as 'gradcam,layercam(layers=stages)'.",
            autocompletion=methods,
        ),
    ] = "gradcam",
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS", help="A class or a number; may be repeated.", show_default="highest"),
    ] = None,
    top: Annotated[int | None, typer.Option(metavar="N", min=1, help="Explain so many of the highest outputs.")] = None,
    box: Annotated[
        str | None, typer.Option(metavar="X0,Y0,X1,Y1", help="A detector's box that overlaps this one most, in pixels.")
    ] = None,
    what: Annotated[
        str, typer.Option(metavar="WHAT", help="Of the box: class, objectness, similarity, x0, y0, x1 or y1.")
    ] = "class",
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Also photographs in the folders' sub-folders.")
    ] = False,
    outputs: Annotated[int | None, typer.Option(metavar="N", help="Outputs that the model must have.")] = None,
    size: Annotated[str, typer.Option(metavar="SIZE", help="full, or pixels of a picture's longer side.")] = "1024",
    device: Device = "auto",
) -> None:
    """Overlay maps on photographs. No config is needed. They are prepared as the model's library says.

    The folder OUT gets a picture of each photograph, class and method, contact.jpg with all of them, and index.html.

    \b
    Examples:
      camforge explain dog.jpg --model resnet50 --out maps
      camforge explain photos --model timm:convnext_tiny --top 3 --out maps
      camforge explain photos --model timm:resnet18 --weights best.ckpt \\
        --method "layercam(layers=stages, truncate=20)" --out maps
      camforge explain cat.jpg --model hf:my-model --target "tabby cat" \\
        --size full --out maps
      camforge explain street.jpg --model fasterrcnn_resnet50_fpn \\
        --method odam --box 40,30,120,90 --target car --out maps
    """
    from camforge.explanation.command import BoxOrder, Order, explain_files
    from camforge.explanation.methods import methods_of
    from camforge.explanation.models import load_model
    from camforge.training.device import pick_device
    from camforge.types import CamForgeError

    _refuse(images, out, target or [], top, box, what)
    photographs, methods, longest = _photographs(images, recursive), methods_of(method), _longest(size)
    place = pick_device(device)
    targets = [int(t) if t.removeprefix("-").isdecimal() else t for t in target or ()]
    asked = None if box is None else BoxOrder.read(box, what, targets)
    network = load_model(model, weights).to(place)
    _check(network, outputs)
    order = Order(network, methods, targets, top, longest, asked)
    made: list[Overlay] = []
    failed: list[CamForgeError] = []
    with _progress(len(photographs)) as progress:
        for found in explain_files(photographs, order, out):
            progress.advance(progress.task_ids[0])
            failed += [found] if isinstance(found, CamForgeError) else []
            made += [] if isinstance(found, CamForgeError) else found
    if not made:
        raise CamForgeError("; ".join(map(str, failed)))
    _print(made, out)
    for error in failed:
        typer.echo(f"skipped: {error}", err=True)


def _refuse(
    images: Sequence[Path], out: Path, targets: Sequence[str], top: int | None, box: str | None, what: str
) -> None:
    """Raise CamForgeError for what cannot be meant, before anything is read."""
    from camforge.types import CamForgeError

    if missing := [str(path) for path in images if not path.exists()]:
        raise CamForgeError(f"no such file: {', '.join(missing)}")
    if top and (targets or box):
        raise CamForgeError(f"give {'--target' if targets else '--box'} or --top, not both")
    if what != "class" and box is None:
        raise CamForgeError(f"--what {what} is asked of a box: give --box")
    if file := next((path for path in (out, *out.parents) if path.is_file()), None):
        raise CamForgeError(f"--out {out}: {file} is a file, not a folder")


def _photographs(images: Sequence[Path], recursive: bool) -> list[Photograph]:
    """Those of all files and folders; how many are left out is said."""
    from camforge.explanation.inputs import photographs_of

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = photographs_of(images, recursive) or []
    for warning in told:
        typer.echo(f"{warning.message}; --recursive takes them in", err=True)
    return found


def _print(made: Sequence[Overlay], out: Path) -> None:
    from rich.table import Table

    from camforge.explanation.page import layers_read

    table = Table("image", "class", "logit", "picture")
    for overlay in made:
        table.add_row(overlay.photograph, overlay.label, f"{overlay.logit:.2f}", overlay.picture)
    console().print(table)
    for name, layers in layers_read(made).items():
        typer.echo(f"{name} read {_some(layers)}")
    pictures = f"{len(made)} picture{'s' if len(made) > 1 else ''}"
    typer.echo(f"{pictures}, contact.jpg and index.html: {out}")


def _some(layers: Sequence[str]) -> str:
    return ", ".join(layers[:4]) + (f" and {len(layers) - 4} more" if len(layers) > 4 else "") or "no layer"


def _longest(size: str) -> int | None:
    from camforge.types import CamForgeError

    if size == "full":
        return None
    if not size.isdecimal() or int(size) < 16:
        raise CamForgeError(f"--size {size}: give full, or a number of pixels from 16 on")
    return int(size)


def _check(network: object, outputs: int | None) -> None:
    """The model has as many outputs as somebody is sure of."""
    import torch

    from camforge.types import CamForgeError

    if outputs is None or not isinstance(network, torch.nn.Module):
        return
    linear = [m for m in network.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    own = [getattr(m, "out_features", getattr(m, "out_channels", None)) for m in linear]
    if outputs not in own[-1:]:
        raise CamForgeError(f"--outputs {outputs}: the model's head has {own[-1] if own else 'no'} outputs")


@contextmanager
def _progress(total: int) -> Iterator[Progress]:
    """Bars on a terminal, gone when all is done; nothing elsewhere. The second is that of methods that run again."""
    from rich.console import Console
    from rich.progress import Progress

    from camforge.capture.rerun import rerun_progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task("photographs", total=total)
        again = progress.add_task("runs of the network", visible=False)
        token = rerun_progress.set(lambda done, rows: progress.update(again, completed=done, total=rows, visible=True))
        try:
            yield progress
        finally:
            rerun_progress.reset(token)
