"""PxAP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import CamForgeError, Metric, MetricInput, Requirement, minmax_normalise
from camforge_plugins.metrics.common.grid import grid_bins, grid_edges
from camforge_plugins.metrics.common.pairs import labelled_pairs, sides, truth_masks

CACHED = 2**17  # pixels whose intermediate values stay in a CPU's cache


class PxAP(Metric):
    """Pixel average precision in percent (Choe et al. 2020): the area under the pixels' precision-recall curve.

    As the authors' wsolevaluation computes it: min-max maps in bins of width ``step``, pixels of all images together,
    ignored pixels left out. Every labelled class of an image is a pair of its own.
    """

    name = "pxap"
    family = "localization"
    bounds = (0, 100)
    step: Annotated[float, Field(gt=0, le=0.5)] = 0.001
    """Width of the bins that values of the map are counted in."""

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"masks"})

    def update(self, metric_input: MetricInput) -> Tensor:
        """(2, bins) int64: pixels beside and inside the class's mask, by the bin of their value; 1 has its own."""
        masks, pairs = truth_masks(metric_input, self.name), labelled_pairs(metric_input, self.name)
        bins = len(grid_edges(self.step)) + 1
        total = torch.zeros(3 * bins, dtype=torch.int64, device=masks.device)
        some = len(masks) if masks.is_cuda else max(1, CACHED // masks[0].numel())
        for maps, side in zip(pairs.maps.split(some), sides(pairs, masks).split(some), strict=True):
            place = grid_bins(minmax_normalise(maps), self.step).add_(side.int(), alpha=bins)
            total += torch.bincount(place.flatten(), minlength=3 * bins)
        return total.view(3, bins)[1:]

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        del classes
        if not total[1].any():
            raise CamForgeError(f"metric {self.name!r}: no mask that it was given shows a pixel of a labelled class")
        false, true = total.double().flip(1).cumsum(1)
        recall = true / true[-1]
        # nothing above the highest bins: no precision there, and no recall to weigh it with
        precision = torch.where(true + false > 0, true / (true + false), 0.0)
        rise = torch.diff(recall, prepend=recall.new_zeros(1))
        return {self.name: float(100 * (precision * rise).sum())}
