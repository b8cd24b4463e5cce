"""Classes of one image that share its pixels."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Fuser, Maps


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
        strength = values.relu() * _counted(values, maps)
        strength = strength.pow(self.power)
        total = values.new_zeros(len(maps.labels), *values.shape[1:]).index_add_(0, maps.images, strength)
        total = total[maps.images]
        return values * torch.where(total > 0, strength / torch.where(total > 0, total, 1), 0)


def _counted(values: Tensor, maps: Maps) -> Tensor:
    """1 where an entry counts, 0 where the pair has no such view; broadcasts with the values."""
    there = maps.labels[maps.images, maps.classes].view(-1, *[1] * (values.dim() - 1)).to(values)
    if "view" not in maps.axes:
        return there
    place = 1 + maps.axes.index("view")
    shape = [n if axis in (0, place) else 1 for axis, n in enumerate(values.shape)]
    return there * maps.valid.reshape(shape).to(values)
