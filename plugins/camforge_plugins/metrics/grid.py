"""Even grids of thresholds over [0, 1], exactly."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from camforge.api import minmax_normalise


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


class SideBins:
    """The same of min-max maps and the side of the object that each pixel lies on, a few maps at a time.

    step    width of a bin;  like  (N, H, W) the most maps that will come at a time
    All parts are worked out in memory that is taken once: fresh pages would cost a fifth of the time. Bins are int16
    where that holds them, which is half as much to read and write.
    """

    def __init__(self, step: float, like: Tensor) -> None:
        self.step, self.bins = step, len(grid_edges(step)) + 1
        small = torch.int16 if 3 * self.bins <= torch.iinfo(torch.int16).max else torch.int32
        self._unit, self._wide = torch.empty_like(like), torch.empty_like(like, dtype=torch.float64)
        self._place, self._side = (torch.empty_like(like, dtype=small) for _ in range(2))
        self._multiplies = like.dtype == torch.float32 and _multiplies_exactly(step)

    def __call__(self, maps: Tensor, sides: Tensor) -> Tensor:
        """(n, H, W) maps and sides 0, 1, 2 -> (n, H, W) side x bins + bin; it holds until the next call."""
        unit, wide, place, side = (part[: len(maps)] for part in (self._unit, self._wide, self._place, self._side))
        minmax_normalise(maps, out=unit)
        if self._multiplies:
            place.copy_(wide.copy_(unit).mul_(1 / self.step))
        else:
            place.copy_(grid_bins(unit, self.step))
        return place.add_(side.copy_(sides), alpha=self.bins)


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
