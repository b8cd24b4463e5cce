"""Classes of one image that share its pixels."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Fuser, Maps

from .label import counted, image_sum


class Compete(Fuser):
    """Each pixel is shared among the classes of its image's label: m_c m_c^p / sum_k m_k^p, p the ``power``.

    The sum is over the label's classes, c among them; the maps are rectified and divided by their maximum first. An
    image with one class keeps its map. It reduces no axis: views, branches and layers compete one by one.
    """

    name = "compete"
    axis: None = None
    normalise: Literal["none", "max"] = "max"
    power: Annotated[float, Field(gt=0)] = 1.0
    """The larger, the more the strongest class takes."""

    def fuse(self, values: Tensor, maps: Maps) -> Tensor:
        strength = torch.where(counted(values, maps), values, 0).relu().pow(self.power)
        total = image_sum(strength, maps)
        return values * torch.where(total > 0, strength / torch.where(total > 0, total, 1), 0)
