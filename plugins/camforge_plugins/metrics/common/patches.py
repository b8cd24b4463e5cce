"""Square patches: what many papers remove of a photograph at once."""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import CamForgeError


def patch_grid(like: Tensor, side: int, metric: str) -> Tensor:
    """Maps (P, H, W) -> (H, W) int64: each pixel's patch, row by row; at the right and lower border they are smaller.

    Raises CamForgeError where there is one patch alone.
    """
    height, width = like.shape[1:]
    rows, columns = (torch.arange(length, device=like.device) // side for length in (height, width))
    across = int(columns[-1]) + 1
    if across * (int(rows[-1]) + 1) < 2:
        raise CamForgeError(f"metric {metric!r}: patch={side} leaves one patch of a map of {height}x{width} pixels")
    return rows[:, None] * across + columns


def patch_sums(maps: Tensor, grid: Tensor) -> Tensor:
    """(P, H, W) and patches (H, W), or (P, H, W) of each map -> (P, patches) float64 sums."""
    places = grid.expand(maps.shape).flatten(1)
    total = torch.zeros(len(maps), int(grid.max()) + 1, dtype=torch.float64, device=maps.device)
    return total.scatter_add_(1, places, maps.flatten(1).double())


def patch_ranks(maps: Tensor, grid: Tensor, mean: bool = False) -> Tensor:
    """(P, patches) int64: 0 for the patch with the largest sum of the map, or mean; equal ones in their order.

    By their means, patches without a pixel come last.
    """
    sums = patch_sums(maps, grid)
    if mean:
        sizes = patch_sums(torch.ones_like(maps), grid)
        sums = (sums / sizes).where(sizes > 0, -torch.inf)
    return sums.argsort(dim=1, descending=True, stable=True).argsort(1)


def on_pixels(values: Tensor, grid: Tensor) -> Tensor:
    """(N, patches) of some kind -> (N, H, W): each pixel has its patch's value."""
    return values.gather(1, grid.expand(len(values), *grid.shape[-2:]).flatten(1)).view(len(values), *grid.shape[-2:])
