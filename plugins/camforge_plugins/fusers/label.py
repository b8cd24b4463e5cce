"""Sums over the classes of each image's label."""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import Maps


def counted(values: Tensor, maps: Maps) -> Tensor:
    """Bool that broadcasts with (P, *axes, H, W): whether the pair's class is in the label, and the pair has the view.

    The first axis of ``values`` is the view where ``maps`` has one in front.
    """
    there = maps.labels[maps.images, maps.classes].view(-1, *[1] * (values.dim() - 1))
    if maps.axes[:1] != ("view",):
        return there
    return there & maps.valid.view(*maps.valid.shape, *[1] * (values.dim() - 2))


def image_sum(values: Tensor, maps: Maps) -> Tensor:
    """(P, …) -> (P, …): at each pair the sum over the pairs of its image."""
    return values.new_zeros(len(maps.labels), *values.shape[1:]).index_add_(0, maps.images, values)[maps.images]


def image_max(values: Tensor, maps: Maps) -> Tensor:
    """(P, …) -> (P, …): at each pair the maximum over the pairs of its image."""
    index = maps.images.view(-1, *[1] * (values.dim() - 1)).expand_as(values)
    lowest = torch.full((len(maps.labels), *values.shape[1:]), -torch.inf).to(values)
    return lowest.scatter_reduce(0, index, values, "amax")[maps.images]
