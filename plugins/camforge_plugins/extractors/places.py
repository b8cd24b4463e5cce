"""The places of a feature map in the layer's own layout, to put other values there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from camforge.api import Capture


@dataclass(frozen=True, eq=False)
class Places:
    """Where the grid (C, h, w) of an image lies in what the layer returned for it.

    index  (C, h, w) int64, positions in the flattened value
    """

    index: Tensor

    @classmethod
    def of(cls, capture: Capture, layer: str, value: Tensor) -> Self:
        """Of a value (1, …) as the layer returned it."""
        positions = torch.arange(value.numel(), device=value.device).view(value.shape)
        return cls(capture.grids(positions, layer)[0])

    def read(self, value: Tensor) -> Tensor:
        """(1, …) -> (C, h, w)."""
        return value.flatten()[self.index]

    def write(self, value: Tensor, grids: Tensor, keep_rest: bool = True) -> Tensor:
        """(1, …) and m grids (m, C, h, w) -> (m, …); what has no place, such as a class token, stays or is 0."""
        base = value if keep_rest else torch.zeros_like(value)
        many = base.flatten()[None].repeat(len(grids), 1)
        many[:, self.index.flatten()] = grids.flatten(1).to(value)
        return many.view(len(grids), *value.shape[1:])
