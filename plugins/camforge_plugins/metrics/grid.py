"""Even grids of thresholds over [0, 1], exactly."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def grid_edges(step: float) -> Tensor:
    """(n,) float64: i * step below 1, the same numbers as numpy.arange(0, 1, step)."""
    return torch.tensor([i * step for i in range(math.ceil(1 / step))], dtype=torch.float64)


def rounded_up(edges: Tensor, like: Tensor) -> Tensor:
    """float64 edges -> the least number of ``like``'s dtype that reaches each, so that no comparison changes."""
    near = edges.to(like)
    return torch.where(near.double() < edges.to(near.device), torch.nextafter(near, near + 1), near)


def grid_bins(values: Tensor, edges: Tensor, step: float) -> Tensor:
    """Values in [0, 1] -> int64: the last i with edges[i] <= value, for edges i * step (n,) of the values' dtype.

    Where rounding moved a value over an edge, the bin found by multiplication is off by one: the edges decide.
    """
    flat, last = values.flatten(), len(edges) - 1
    place = (flat * (1 / step)).long().clamp(max=last)
    place -= (flat < edges.index_select(0, place)).long()
    above = edges.index_select(0, (place + 1).clamp(max=last))
    return (place + ((flat >= above) & (place < last))).view_as(values)
