"""Pairs of places of a grid, and how far their features lie apart: what trainers of affinities and walks share."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor
from torch.nn.functional import pad

Offset = tuple[int, int]


def half_disc(radius: int) -> list[Offset]:
    """Steps (down, right) to the places nearer than ``radius``, one of every two that are opposite; not (0, 0)."""
    reach = range(1 - radius, radius)
    return [(y, x) for y in range(radius) for x in reach if (y, x) > (0, 0) and y * y + x * x < radius * radius]


def shifted(values: Tensor, offset: Offset, fill: float) -> Tensor:
    """(…, h, w): at each place the value that lies ``offset`` from it, ``fill`` where that is outside."""
    (y, x), (height, width) = offset, values.shape[-2:]
    reach = max(abs(y), abs(x))
    padded = pad(values, (reach, reach, reach, reach), value=fill)
    return padded[..., reach + y : reach + y + height, reach + x : reach + x + width]


def path(offset: Offset) -> list[Offset]:
    """The steps to the places on the line to ``offset``, both ends among them, as IRN's published code draws it.

    They are those of the rectangle between the two that lie nearer than one place to the line, so that no diagonal
    slips between the places of a boundary.
    """
    y, x = offset
    rows, columns = range(min(0, y), max(0, y) + 1), range(min(0, x), max(0, x) + 1)
    return [(v, u) for v in rows for u in columns if (y * u - x * v) ** 2 < y * y + x * x]


def highest_between(values: Tensor, offsets: list[Offset]) -> Tensor:
    """(B, h, w) -> (B, O, h, w): the highest value on the path to each offset, infinite where that is outside."""
    paths = [path(offset) for offset in offsets]
    at = {step: shifted(values, step, torch.inf) for step in dict.fromkeys(chain(*paths))}
    return torch.stack([torch.stack([at[step] for step in steps]).amax(0) for steps in paths], 1)


def distances(features: Tensor, offsets: list[Offset]) -> Tensor:
    """Features (B, D, h, w) -> (B, O, h, w): the L1 distance to the place at each offset, infinite outside."""
    return torch.stack([(features - shifted(features, offset, torch.inf)).abs().sum(1) for offset in offsets], 1)
