"""The mean over an axis."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from camforge.api import Axis, Fuser, Maps

from .presence import presence


class Mean(Fuser):
    """The mean over an axis: branches (Huang et al. 2019, sec. II-D) or class pairs (Meng et al., sec. 3.3).

    Every map is rectified and divided by its maximum first, so that no network speaks louder than another.
    Views that a class does not have do not count.
    """

    name = "mean"
    axis: Axis
    normalise: Literal["none", "max"] = "max"

    def fuse(self, values: Tensor, maps: Maps) -> Tensor:
        there = presence(values, maps, self.axis)
        return torch.where(there, values, 0).sum(1) / there.sum(1).clamp(min=1)
