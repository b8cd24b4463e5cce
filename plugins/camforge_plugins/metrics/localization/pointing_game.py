"""The pointing game."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Metric, MetricInput, Requirement
from camforge_plugins.metrics.common.pairs import class_mean, labelled_pairs, percent
from camforge_plugins.metrics.common.regions import need_regions, true_regions


class PointingGame(Metric):
    """How often a map's highest point lies on its class's object, in percent, mean over classes (Zhang et al. 2016).

    A constant map points nowhere: a miss. The paper allows a distance of 15 pixels on full-size photographs.
    """

    name = "pointing_game"
    family = "localization"
    bounds = (0, 100)
    truth: Literal["mask", "box"] = "mask"
    """What the object is: its class's mask, or its boxes."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """A point this many pixels from the object is still a hit."""

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"masks" if self.truth == "mask" else "boxes"})

    def update(self, metric_input: MetricInput) -> Tensor:
        """(C, 3) int64: hits, maps, maps whose class is shown."""
        pairs = labelled_pairs(metric_input, self.name)
        region = true_regions(pairs, self.truth, self.name)
        flat = pairs.maps.flatten(1)
        hit = (self._near_the_peak(pairs.maps) & region).flatten(1).any(1) & (flat.amax(1) > flat.amin(1))
        cases = torch.stack([hit, torch.ones_like(hit), region.flatten(1).any(1)], 1).long()
        total = torch.zeros(pairs.batch.labels.shape[1], 3, dtype=torch.int64, device=flat.device)
        return total.index_add_(0, pairs.classes, cases)

    def _near_the_peak(self, maps: Tensor) -> Tensor:
        """(P, H, W) -> bool: pixels within the tolerance of the map's (first) highest point."""
        _, height, width = maps.shape
        point = maps.flatten(1).argmax(1)
        dy = torch.arange(height, device=maps.device)[None] - (point // width)[:, None]
        dx = torch.arange(width, device=maps.device)[None] - (point % width)[:, None]
        return dy[:, :, None] ** 2 + dx[:, None] ** 2 <= self.tolerance**2

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        need_regions(total[:, 2], self.truth, self.name)
        return class_mean(self.name, percent(total[:, 0], total[:, 1]), total[:, 1] > 0, classes)
