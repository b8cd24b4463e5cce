"""The fusion of the levels of a class hierarchy."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from camforge.api import Fuser, Maps

Rest = Literal["image", "same_cluster", "all_others", "none"]
Reduce = Literal["max", "mean", "sum"]


class Hierarchy(Fuser):
    """M0 + mean over the grouped levels of (M_i - M0') (Huang et al. 2019, eq. 5; Meng et al. 2020, eq. 6).

    M0 is the class's map of the ungrouped view, which comes first; M_i is the map of the cluster that holds the class;
    M0', "the CAM of the rest classes", is made from ungrouped maps, and 0 where there are none. A class that no
    grouped level holds keeps M0.
    """

    name = "hierarchy"
    axis: Literal["view"] = "view"
    normalise: Literal["none", "max"] = "max"
    rest: Rest = "image"
    """The rest classes, which the papers leave undefined.

    "image": the other classes of the image's label; "same_cluster": of these, at each level, the ones that share the
    class's cluster, whose evidence the cluster's map mixes in; "all_others": every other class, shown or not;
    "none": M0' = 0.
    """
    reduce: Reduce = "max"
    """How the maps of several rest classes become one, element by element."""

    @property
    def targets(self) -> Literal["present", "all"]:
        return "all" if self.rest == "all_others" else "present"

    def fuse(self, values: Tensor, maps: Maps) -> Tensor:
        ungrouped, clusters = values[:, 0], values[:, 1:]
        there = _like(maps.valid[:, 1:], clusters)
        gained = clusters if self.rest == "none" else clusters - self._rest(ungrouped, maps)
        return ungrouped + torch.where(there, gained, 0).sum(1) / there.sum(1).clamp(min=1)

    def _rest(self, ungrouped: Tensor, maps: Maps) -> Tensor:
        """(P, *rest, H, W) ungrouped maps -> (P, L, *rest, H, W): M0' per grouped level, L = 1 where all share it."""
        together = maps.images[:, None] == maps.images[None, :]
        together &= ~torch.eye(len(maps), dtype=torch.bool, device=together.device)
        if self.rest != "all_others":
            together &= maps.labels[maps.images, maps.classes]
        chosen = together[..., None]
        if self.rest == "same_cluster":
            ours, theirs = maps.outputs[:, None, 1:], maps.outputs[None, :, 1:]
            chosen = chosen & (ours == theirs) & (ours >= 0)
        return reduce_chosen(ungrouped, chosen, self.reduce)


def reduce_chosen(values: Tensor, chosen: Tensor, reduce: Reduce) -> Tensor:
    """Maps (P, *rest, H, W), chosen (P, P, L) bool -> (P, L, *rest, H, W): [p, l] reduces the maps chosen[p, :, l].

    0 where nothing is chosen. The k-th chosen map of every pair is taken at once: memory stays at a few results.
    """
    ever = chosen.any(2)
    most = max(ever.sum(1).tolist(), default=0)
    order = ever.int().argsort(dim=1, descending=True, stable=True)[:, :most]
    nothing = -torch.inf if reduce == "max" else 0.0
    result = values.new_full((values.shape[0], chosen.shape[2], *values.shape[1:]), nothing)
    for other in order.unbind(1):
        kept = _like(chosen.gather(1, other[:, None, None].expand(-1, 1, chosen.shape[2]))[:, 0], result)
        candidate = values[other].unsqueeze(1)
        result = torch.where(kept, torch.maximum(result, candidate) if reduce == "max" else result + candidate, result)
    count = _like(chosen.sum(1), result)
    return torch.where(count > 0, result / count.clamp(min=1) if reduce == "mean" else result, 0)


def _like(flags: Tensor, values: Tensor) -> Tensor:
    """(P, n) with trailing axes of one, to broadcast over (P, n, *rest, H, W)."""
    return flags.reshape(*flags.shape, *(1 for _ in values.shape[2:]))
