"""From maps to foreground masks."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import max_normalise, minmax_normalise, seed_mask

Fraction = Annotated[float, Field(ge=0, le=1)]
Threshold = Fraction | Literal["otsu", "twice_mean"]
"""A fraction of the normalised map, or a rule that finds one for each map."""
Normalise = Literal["max", "minmax"]

LEVELS = 256


def foreground(maps: Tensor, threshold: Threshold, normalise: Normalise = "max") -> Tensor:
    """(P, H, W) raw maps -> (P, H, W) bool. A constant or all-zero map gives an empty mask.

    number        normalised map >= threshold
    "otsu"        8-bit min-max map > Otsu's level (Otsu 1979), whatever ``normalise`` says
    "twice_mean"  normalised map >= twice its mean, at most 1 (Achanta et al. 2009, eq. 11)
    """
    if threshold == "otsu":
        levels = byte_levels(maps)
        return levels > otsu_level(levels)[:, None, None]
    if threshold == "twice_mean":
        scaled = max_normalise(maps) if normalise == "max" else minmax_normalise(maps)
        cut = (2 * scaled.mean((1, 2), keepdim=True)).clamp(max=1)
        return (scaled >= cut) & (scaled > 0)
    return seed_mask(maps, threshold, normalise)


def byte_levels(maps: Tensor) -> Tensor:
    """(P, H, W) -> (P, H, W) uint8: the min-max map times 255, truncated as a cast to bytes does."""
    return (minmax_normalise(maps) * (LEVELS - 1)).to(torch.uint8)


def otsu_level(levels: Tensor) -> Tensor:
    """(P, H, W) uint8 -> (P,) int64: the level t that parts v <= t from v > t with the largest variance between them.

    Otsu 1979, eq. 18, from integer counts; the lowest of equal levels. A constant map has level 255: nothing is above.
    """
    count, size = levels.shape[0], levels.shape[1] * levels.shape[2]
    offsets = LEVELS * torch.arange(count, device=levels.device)[:, None]
    histogram = torch.bincount((levels.flatten(1) + offsets).flatten(), minlength=LEVELS * count).view(count, LEVELS)
    below = histogram.cumsum(1)
    mass = (histogram * torch.arange(LEVELS, device=levels.device)).cumsum(1)
    spread = (mass[:, -1:] * below - mass * size).double() ** 2
    weight = (below * (size - below)).double()
    between = torch.where(weight > 0, spread / weight, torch.zeros_like(spread))
    best, level = between.max(1)
    return torch.where(best > 0, level, LEVELS - 1)
