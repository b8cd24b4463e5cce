"""Energy inside the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from camforge.api import Metric, MetricInput, Requirement
from camforge_plugins.metrics.common.pairs import class_mean, labelled_pairs
from camforge_plugins.metrics.common.regions import need_regions, true_regions


class Energy(Metric):
    """The share of a map's energy inside its class's boxes, in percent, mean over maps (Wang et al. 2020, Score-CAM).

    Energy is the map after ReLU; a map without any has share 0.
    """

    name = "energy"
    family = "localization"
    bounds = (0, 100)
    truth: Literal["mask", "box"] = "box"
    """What the object is: its class's mask, or its boxes."""

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"masks" if self.truth == "mask" else "boxes"})

    def update(self, metric_input: MetricInput) -> Tensor:
        """(C, 3) float64: sum of shares, maps, maps whose class is shown."""
        pairs = labelled_pairs(metric_input, self.name)
        region = true_regions(pairs, self.truth, self.name).flatten(1)
        energy = pairs.maps.relu().flatten(1).double()
        whole, inside = energy.sum(1), (energy * region).sum(1)
        share = torch.where(whole > 0, inside / whole, torch.zeros_like(whole))
        cases = torch.stack([share, torch.ones_like(share), region.any(1).double()], 1)
        total = torch.zeros(pairs.batch.labels.shape[1], 3, dtype=torch.float64, device=cases.device)
        return total.index_add_(0, pairs.classes, cases)

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        need_regions(total[:, 2], self.truth, self.name)
        maps = total[:, 1]
        numbers = class_mean(self.name, 100 * total[:, 0] / maps.clamp(min=1), maps > 0, classes)
        return numbers | {self.name: float(100 * total[:, 0].sum() / maps.sum())}
