"""What ``camforge explain`` does: maps over photographs as pictures, a contact sheet and a page of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from torch import Tensor, nn

from camforge.capture.forward import NoLogits
from camforge.explanation.drawing import small
from camforge.explanation.explain import explain
from camforge.explanation.explanation import Explanation
from camforge.explanation.inputs import MANIFEST, Photograph
from camforge.explanation.names import index_of, label_of
from camforge.explanation.page import Overlay, page
from camforge.explanation.placement import Placement, measure
from camforge.explanation.recipe import recipe_of
from camforge.explanation.targets import DetectedBox, NoBox, What, box_caption
from camforge.files import free_name, write_atomically
from camforge.interfaces import Extractor
from camforge.pictures import enlarged, save, sheet, signed_overlay
from camforge.types import CamForgeError

CONTACT = 48  # photographs on the contact sheet
THUMBNAIL = 224  # pixels of a tile's longer side there


@dataclass(frozen=True)
class BoxOrder:
    """What is asked of the detected box that overlaps a given one most.

    corners  x0, y0, x1, y1 in pixels of the photograph;  what  as DetectedBox has it
    label    look only at boxes of this class, by name or number
    """

    corners: tuple[float, ...]
    what: What = "class"
    label: str | int | None = None

    @staticmethod
    def read(text: str, what: str, labels: Sequence[str | int]) -> BoxOrder:
        """Out of ``40,30,120,90``. Raises CamForgeError for what is no box."""
        try:
            x0, y0, x1, y1 = map(float, text.split(","))
        except ValueError:
            raise CamForgeError(f"--box {text}: give four numbers, x0,y0,x1,y1") from None
        if not (0 <= x0 < x1 < float("inf") and 0 <= y0 < y1 < float("inf")):
            raise CamForgeError(f"--box {text}: x0,y0 is the upper left corner, x1,y1 the lower right one")
        chosen = next((each for each in get_args(What) if each == what), None)
        if chosen is None:
            raise CamForgeError(f"--what {what}: allowed are {', '.join(get_args(What))}")
        if len(labels) > 1:
            raise CamForgeError("--box looks at boxes of one class: give --target once")
        return BoxOrder((x0, y0, x1, y1), chosen, *labels)

    @property
    def missing(self) -> str:
        """What is said of a photograph in which there is no such box."""
        whose = "" if self.label is None else f" of class {self.label}"
        return f"no detected box{whose} overlaps --box {','.join(f'{side:g}' for side in self.corners)}"

    def options(self, model: nn.Module, size: tuple[int, int]) -> dict[str, Any]:
        """What explain() is told about the box of a photograph of ``size`` (h, w)."""
        recipe = recipe_of(model)
        number = index_of(self.label, recipe.classes) if isinstance(self.label, str) else self.label
        known = number is not None and 0 <= number < len(recipe.classes)
        called = label_of(number, recipe.classes) if known else f"class {number}"
        place = measure(recipe.preparation, size)
        select = DetectedBox(_on_input(self.corners, place), number, self.what, place.given)
        caption = box_caption(self.corners, None if number is None else called, self.what)
        return {"targets": 0, "select": select, "classes": [caption]}


def _on_input(corners: Sequence[float], place: Placement) -> list[float]:
    """x0, y0, x1, y1 in pixels of the photograph -> of the model's input, where a mirrored one stays upright."""
    axes = (1, 0, 1, 0)
    x0, y0, x1, y1 = ((side - place.start[axis]) / place.step[axis] for side, axis in zip(corners, axes, strict=True))
    return [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]


@dataclass(frozen=True)
class Order:
    """What is to be made of every photograph.

    targets  class names or numbers of outputs, none for the highest;  top  so many of the highest instead
    longest  pixels of a picture's longer side at most, None for the photograph's own size
    box      a detector's box, in the place of targets
    """

    model: nn.Module
    methods: Sequence[Extractor]
    targets: Sequence[str | int]
    top: int | None
    longest: int | None
    box: BoxOrder | None = None

    def options(self, pixels: Tensor) -> dict[str, Any]:
        """What explain() is told of a photograph (3, h, w)."""
        if self.box is not None:
            return self.box.options(self.model, (pixels.shape[1], pixels.shape[2]))
        return {"targets": [list(self.targets)] if self.targets else None, "top": self.top}


def explain_files(
    photographs: Sequence[Photograph], order: Order, out: Path
) -> Iterator[list[Overlay] | CamForgeError]:
    """Of each photograph its pictures, written to ``out``, or the error of one that cannot be read or lacks the box."""
    taken: set[str] = set()
    tiles: list[list[tuple[str, Tensor]]] = []
    made: list[Overlay] = []
    for photograph in photographs:
        try:
            pixels = photograph.pixels()
        except CamForgeError as error:
            yield error
            continue
        try:
            overlays, row = _one(photograph.name, pixels, order, out, taken)
        except NoBox as error:
            yield CamForgeError(f"{photograph.name}: {order.box.missing if order.box else error}")
            continue
        made += overlays
        if len(tiles) < CONTACT:
            tiles.append(row)
        yield overlays
    if made:
        save(out / "contact.jpg", sheet(tiles))
        write_atomically(out / "index.html", page(made).encode())
        manifest = json.dumps([asdict(overlay) for overlay in made], indent=1, ensure_ascii=False)
        write_atomically(out / MANIFEST, manifest.encode())


def _one(
    name: str, pixels: Tensor, order: Order, out: Path, taken: set[str]
) -> tuple[list[Overlay], list[tuple[str, Tensor]]]:
    """A photograph's pictures, and its row of the contact sheet."""
    try:
        found = explain(order.model, [pixels], extractor=list(order.methods), size="input", **order.options(pixels))
    except NoLogits as error:
        raise CamForgeError(f"{error.problem}: this command reads classifiers, detectors and segmentation") from None
    shown = pixels if order.longest is None else small(pixels, order.longest)
    tile = small(pixels, THUMBNAIL)
    overlays, row = [], [(name, enlarged(tile))]
    for key, explanation in found.items():
        place = explanation.placements[0].scaled((shown.shape[1], shown.shape[2]))
        for pair, values in enumerate(place.bring_back(explanation.maps).detach().cpu()):
            target = int(explanation.targets[pair])
            stem = free_name(f"{_stem(name)}-{key.replace('#', '-')}-{_end(explanation, pair)}", taken)
            picture = out / f"{stem}.png"
            over = signed_overlay(shown, values)
            save(picture, over)
            overlays.append(_told(explanation, pair, name, target, picture))
            row.append((f"{explanation.label(pair)}: {explanation.method}", enlarged(small(over, THUMBNAIL))))
    return overlays, row


def _told(found: Explanation, pair: int, name: str, target: int, picture: Path) -> Overlay:
    logit = float(found.logits[0, target])
    return Overlay(name, target, found.label(pair), logit, found.method, found.layers, picture.name)


def _stem(name: str) -> str:
    """``cats-1`` of ``cats/1.jpg``."""
    return "-".join(Path(name).with_suffix("").parts)


def _end(found: Explanation, pair: int) -> str:
    """``281-tabby``, or ``281`` where the outputs have no names."""
    target, label = int(found.targets[pair]), found.label(pair)
    words = re.sub(r"[^\w.-]+", "_", label)
    return str(target) if label == f"output {target}" else f"{target}-{words}"
