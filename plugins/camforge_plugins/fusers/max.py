"""The element-wise maximum over an axis."""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import Axis, Fuser, Maps

from .presence import presence


class Max(Fuser):
    """The element-wise maximum over an axis, 0 where a pair has no entry at all."""

    name = "max"
    axis: Axis

    def fuse(self, values: Tensor, maps: Maps) -> Tensor:
        there = presence(values, maps, self.axis)
        strongest = torch.where(there, values, -torch.inf).amax(1)
        return torch.where(there.any(1), strongest, 0)
