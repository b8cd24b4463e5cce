"""Explanations as pictures: maps over the photographs they explain, every one with what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from camforge.pictures import Picture, enlarged, overlay, sheet
from camforge.types import CamForgeError

if TYPE_CHECKING:
    from camforge.explanation.explanation import Explanation


def comparison(photographs: Tensor, found: Mapping[str, Explanation]) -> Picture:
    """One row per image: the photograph, then every map of every explanation.

    photographs  (N, 3, h, w) uint8, or one (3, h, w). Raises CamForgeError where their number is not that of the images
    """
    pictures = (photographs[None] if photographs.dim() == 3 else photographs).cpu()
    for name, explanation in found.items():
        if explanation.maps.dim() != 3:
            raise CamForgeError(f"{name}: maps of {explanation.maps.dim() - 1} axes cannot lie over a photograph")
        if len(pictures) != len(explanation.logits):
            raise CamForgeError(f"{name} explains {len(explanation.logits)} images; photographs: {len(pictures)}")
    return Picture(sheet([_row(i, picture, found) for i, picture in enumerate(pictures)]))


def _row(image: int, picture: Tensor, found: Mapping[str, Explanation]) -> list[tuple[str, Tensor]]:
    tiles = [(f"image {image}", picture)]
    for name, explanation in found.items():
        targets = explanation.targets[explanation.images == image].tolist()
        for target, values in zip(targets, explanation.of(image), strict=True):
            what = "function" if target < 0 else f"output {target}"
            tiles.append((f"{what}: {name}", overlay(picture, values.detach().cpu())))
    return [(caption, enlarged(tile)) for caption, tile in tiles]
