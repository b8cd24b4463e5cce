"""The sum over an axis."""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import Axis, Fuser, Maps

from .presence import presence


class Sum(Fuser):
    """The sum over an axis, without normalisation: layerization is a sum of layers ("Rethinking CAMs", eq. 8)."""

    name = "sum"
    axis: Axis

    def fuse(self, values: Tensor, maps: Maps) -> Tensor:
        there = presence(values, maps, self.axis)
        return torch.where(there, values, 0).sum(1)
