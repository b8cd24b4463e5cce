"""RISE."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Capture, resize
from camforge_plugins.extractors.masked_images import MaskedImages

Masks = Callable[[int, int], Tensor]
AT_ONCE = 2**24  # values of masks that are summed at a time


class RISE(MaskedImages):
    """RISE: the sum over random masks M of y(X * M) M, divided by their number and share (Petsiuk et al. 2018).

    A mask is a grid of zeros and ones, upsampled bilinearly and shifted by a part of a cell. The masks are the same for
    every image: maps do not depend on batches. Hidden places are 0, the mean colour of normalised images. It needs
    nothing of the network but what it returns, and a forward per mask. Its maps are high everywhere and higher where it
    matters: show them with ``normalise="minmax"``.
    """

    name = "rise"

    samples: Annotated[int, Field(ge=1)] = 1000
    """How many masks; the paper takes 4000 to 8000."""
    cells: Annotated[int, Field(ge=1)] = 7
    """Cells of the grid along each axis."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The probability that a cell is seen."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the random numbers."""

    def extract(self, capture: Capture) -> list[Tensor]:
        masks = self.masks(capture.inputs)
        weights = self.scores_under(capture, self.samples, lambda image, a, b: masks(a, b)[:, None] * image)
        total = torch.zeros((), dtype=weights.dtype, device=weights.device)
        step = max(1, AT_ONCE // prod(capture.inputs.shape[2:]))
        for start in range(0, self.samples, step):
            some = weights[:, start : start + step]
            total = total + torch.einsum("pm,m...->p...", some, masks(start, start + some.shape[1]).to(some))
        return [total / (self.samples * self.share)]

    def masks(self, images: Tensor) -> Masks:
        """(start, stop) -> (m, H, W) of 0 to 1 for images of this size."""
        size = images.shape[2:]
        source = torch.Generator().manual_seed(self.seed)
        grids = torch.rand(self.samples, *[self.cells] * len(size), generator=source) < self.share
        cell = [-(-n // self.cells) for n in size]
        shifts = torch.stack([torch.randint(0, c, (self.samples,), generator=source) for c in cell], 1)
        grids, shifts = grids.to(images), shifts.to(images.device)
        large = torch.Size([(self.cells + 1) * c for c in cell])

        def some(start: int, stop: int) -> Tensor:
            return _cut(resize(grids[start:stop], large), shifts[start:stop], size)

        return some


def _cut(values: Tensor, starts: Tensor, size: torch.Size) -> Tensor:
    """(m, H', W') and where each begins, (m, 2) -> (m, H, W)."""
    rows = torch.arange(len(values), device=values.device)
    index = [rows.view(-1, *(1,) * len(size))]
    for axis, n in enumerate(size):
        places = starts[:, axis, None] + torch.arange(n, device=values.device)
        index.append(places.view(-1, *(1,) * axis, n, *(1,) * (len(size) - 1 - axis)))
    return values[tuple(index)]
