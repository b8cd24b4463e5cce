"""A fuser."""

import torch

from camforge.api import Fuser


class SoftmaxMean(Fuser):
    """The mean over an axis, weighted by the softmax of each map's largest value: confident maps lead."""

    name = "softmax_mean"
    api = "2.0"

    temperature: float = 1.0

    def fuse(self, values, maps):  # (P, n, ..., H, W) -> (P, ..., H, W)
        there = maps.valid if self.axis == "view" else torch.ones(values.shape[:2], dtype=torch.bool)
        there = there.to(values.device).reshape(*there.shape, *(1 for _ in values.shape[2:]))
        peaks = values.amax((-2, -1), keepdim=True) / self.temperature
        weights = peaks.masked_fill(~there, -torch.inf).softmax(1).nan_to_num()  # a pair without any entry: zero
        return (weights * values.where(there, 0)).sum(1)
