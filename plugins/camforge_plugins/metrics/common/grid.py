"""Even grids of thresholds over [0, 1], exactly."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor


@lru_cache
def grid_edges(step: float) -> Tensor:
    """(n,) float64: i * step below 1, the same numbers as numpy.arange(0, 1, step)."""
    return torch.tensor([i * step for i in range(math.ceil(1 / step))], dtype=torch.float64)


def grid_bins(values: Tensor, step: float) -> Tensor:
    """Values in [0, 1] -> int32: the last i with edge i <= value, edges being ``grid_edges`` and 1.

    A float32 value times 1 / step, in float64, falls into the right bin wherever the grid has been tried to do so; else
    the edges are searched, which takes ten times as long.
    """
    if values.dtype == torch.float32 and _multiplies_exactly(step):
        return values.double().mul_(1 / step).int()
    return torch.bucketize(values.double(), _closed(step).to(values.device), right=True, out_int32=True) - 1


def _closed(step: float) -> Tensor:
    return torch.cat([grid_edges(step), torch.ones(1, dtype=torch.float64)])


@lru_cache
def _multiplies_exactly(step: float) -> bool:
    """Are the least float32 that reaches each edge, and the greatest that does not, told apart by multiplication?

    The product rises with the value, so that what holds on both sides of every edge holds between them.
    """
    edges = _closed(step)
    near = edges.float()
    reach = torch.where(near.double() < edges, torch.nextafter(near, near + 1), near)
    short = torch.nextafter(reach[1:], reach[1:] - 1)
    place = torch.arange(len(edges))
    tried = (torch.cat([reach, short]).double() * (1 / step)).long()
    return torch.equal(tried, torch.cat([place, place[:-1]]))
