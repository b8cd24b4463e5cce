"""Explanations as pictures: maps over the photographs they explain, every one with what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor
from torchvision.transforms.v2.functional import resize as shrink

from camforge.pictures import Picture, enlarged, sheet, signed_overlay
from camforge.types import CamForgeError

if TYPE_CHECKING:
    from camforge.explanation.explanation import Explanation

LONGEST = 480  # pixels of a tile's longer side


def comparison(found: Mapping[str, Explanation], photographs: Tensor | None = None) -> Picture:
    """One row per image: the photograph, then every map of every explanation, under what it explains and how.

    photographs  (N, 3, h, w) uint8, or one (3, h, w), in the place of those that were explained
    """
    first = next(iter(found.values()))
    for name, explanation in found.items():
        if explanation.maps.dim() != 3:
            raise CamForgeError(f"{name}: maps of {explanation.maps.dim() - 1} axes cannot lie over a photograph")
        if len(explanation.logits) != len(first.logits):
            raise CamForgeError(f"{name} explains {len(explanation.logits)} images, others {len(first.logits)}")
    return Picture(sheet([_row(i, each, found) for i, each in enumerate(first.pictures(photographs))]))


def _row(image: int, picture: Tensor, found: Mapping[str, Explanation]) -> list[tuple[str, Tensor]]:
    tiles = [(next(iter(found.values())).image_name(image), small(picture))]
    for explanation in found.values():
        pairs = (explanation.images == image).nonzero().flatten().tolist()
        for pair, values in zip(pairs, explanation.over(image), strict=True):
            caption = f"{explanation.label(pair)}: {explanation.method}"
            tiles.append((caption, signed_overlay(tiles[0][1], values.detach().cpu())))
    return [(caption, enlarged(tile)) for caption, tile in tiles]


def small(picture: Tensor, longest: int = LONGEST) -> Tensor:
    """A photograph (3, h, w) uint8 with its longer side at most so many pixels."""
    height, width = picture.shape[1:]
    if max(height, width) <= longest:
        return picture
    scale = longest / max(height, width)
    smaller: Tensor = shrink(picture, [max(1, round(height * scale)), max(1, round(width * scale))], antialias=True)
    return smaller
