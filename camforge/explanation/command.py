"""What ``camforge explain`` does: maps over photographs as pictures, a contact sheet and a page of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor, nn

from camforge.capture.forward import NoLogits
from camforge.explanation.drawing import small
from camforge.explanation.explain import explain
from camforge.explanation.explanation import Explanation
from camforge.explanation.inputs import Photograph
from camforge.explanation.page import page
from camforge.files import file_name, write_atomically
from camforge.interfaces import Extractor
from camforge.pictures import enlarged, save, sheet, signed_overlay
from camforge.types import CamForgeError

CONTACT = 48  # photographs on the contact sheet
THUMBNAIL = 224  # pixels of a tile's longer side there


@dataclass(frozen=True)
class Overlay:
    """One picture: what was explained, by which method, with which logit, and where the method looked."""

    photograph: str
    target: int
    label: str
    logit: float
    method: str
    layers: tuple[str, ...]
    picture: str


@dataclass(frozen=True)
class Order:
    """What is to be made of every photograph.

    targets  class names or numbers of outputs, none for the highest;  top  so many of the highest instead
    longest  pixels of a picture's longer side at most, None for the photograph's own size
    """

    model: nn.Module
    methods: Sequence[Extractor]
    targets: Sequence[str | int]
    top: int | None
    longest: int | None


def explain_files(
    photographs: Sequence[Photograph], order: Order, out: Path
) -> Iterator[list[Overlay] | CamForgeError]:
    """Of each photograph its pictures, written to ``out``, or the error of one that cannot be read."""
    taken: set[str] = set()
    tiles: list[list[tuple[str, Tensor]]] = []
    made: list[Overlay] = []
    for photograph in photographs:
        try:
            pixels = photograph.pixels()
        except CamForgeError as error:
            yield error
            continue
        overlays, row = _one(photograph.name, pixels, order, out, taken)
        made += overlays
        if len(tiles) < CONTACT:
            tiles.append(row)
        yield overlays
    if made:
        save(out / "contact.jpg", sheet(tiles))
        write_atomically(out / "index.html", page(made).encode())
        manifest = json.dumps([asdict(overlay) for overlay in made], indent=1, ensure_ascii=False)
        write_atomically(out / "explanation.json", manifest.encode())


def _one(
    name: str, pixels: Tensor, order: Order, out: Path, taken: set[str]
) -> tuple[list[Overlay], list[tuple[str, Tensor]]]:
    """A photograph's pictures, and its row of the contact sheet."""
    targets = [list(order.targets)] if order.targets else None
    try:
        found = explain(order.model, [pixels], targets, list(order.methods), top=order.top, size="input")
    except NoLogits as error:
        raise CamForgeError(f"{error.problem}: this command reads classifiers, detectors and segmentation") from None
    shown = pixels if order.longest is None else small(pixels, order.longest)
    tile = small(pixels, THUMBNAIL)
    overlays, row = [], [(name, enlarged(tile))]
    for key, explanation in found.items():
        place = explanation.placements[0].scaled((shown.shape[1], shown.shape[2]))
        for pair, values in enumerate(place.bring_back(explanation.maps).detach().cpu()):
            target = int(explanation.targets[pair])
            picture = out / _free(f"{Path(name).stem}-{key.replace('#', '-')}-{_end(explanation, pair)}", taken)
            over = signed_overlay(shown, values)
            save(picture, over)
            overlays.append(_told(explanation, pair, name, target, picture))
            row.append((f"{explanation.label(pair)}: {explanation.method}", enlarged(small(over, THUMBNAIL))))
    return overlays, row


def _told(found: Explanation, pair: int, name: str, target: int, picture: Path) -> Overlay:
    logit = float(found.logits[0, target])
    return Overlay(name, target, found.label(pair), logit, found.method, found.layers, picture.name)


def _end(found: Explanation, pair: int) -> str:
    """``281-tabby``, or ``281`` where the outputs have no names."""
    target, label = int(found.targets[pair]), found.label(pair)
    words = re.sub(r"[^\w.-]+", "_", label)
    return str(target) if label == f"output {target}" else f"{target}-{words}"


def _free(stem: str, taken: set[str]) -> str:
    """A file name that no other picture of this call has."""
    stem = file_name(stem)
    name, number = f"{stem}.png", 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}.png"
    taken.add(name)
    return name


def layers_read(overlays: Sequence[Overlay]) -> Mapping[str, tuple[str, ...]]:
    """Method -> the layers that it read."""
    return {overlay.method: overlay.layers for overlay in overlays}
