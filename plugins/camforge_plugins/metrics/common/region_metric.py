"""Metrics of a map and the region of its class, pair by pair."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from camforge.api import IGNORED, CamForgeError, MetricInput, Requirement
from camforge_plugins.metrics.common.pair_metric import PairMetric
from camforge_plugins.metrics.common.pairs import truth_masks
from camforge_plugins.metrics.common.regions import Truth, true_regions


class RegionMetric(PairMetric, ABC):
    """A pair metric that asks where the class is. Pairs whose class is not shown are not counted."""

    truth: Truth = "mask"
    """What the object is: its class's mask, or its boxes."""

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"masks" if self.truth == "mask" else "boxes"})

    @abstractmethod
    def region_values(self, maps: Tensor, region: Tensor, valid: Tensor) -> Tensor:
        """Maps (P, N) float64, pixels of the class and pixels that count (P, N) bool -> (P,) or (P, k).

        The maps are 0 where a pixel does not count.
        """

    def update(self, metric_input: MetricInput) -> Tensor:
        if self.truth == "mask":
            truth_masks(metric_input, self.name)  # an error where there are none, also without a single pair
        return super().update(metric_input)

    def pair_values(self, pairs: MetricInput) -> Tensor:
        region, valid = true_regions(pairs, self.truth, self.name).flatten(1), self._valid(pairs).flatten(1)
        values = self.region_values(pairs.maps.flatten(1).double() * valid, region, valid).view(len(region), -1)
        return values.where(region.any(1)[:, None], torch.nan)

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        if not total[..., 1].any():
            thing = "class masks" if self.truth == "mask" else "boxes"
            raise CamForgeError(f"metric {self.name!r} needs {thing} of a labelled class, and no image has one")
        return super().compute(total, classes)

    def _valid(self, pairs: MetricInput) -> Tensor:
        if self.truth == "box":
            return torch.ones_like(pairs.maps, dtype=torch.bool)
        return truth_masks(pairs, self.name)[pairs.images] != IGNORED


def highest(maps: Tensor, valid: Tensor, counts: Tensor) -> Tensor:
    """(P, N) maps and how many pixels (P,) int64 -> (P, N) bool: the highest that count; equal ones in their order."""
    order = maps.where(valid, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return order.argsort(1) < counts[:, None]
