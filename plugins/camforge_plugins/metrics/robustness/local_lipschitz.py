"""How steep is the map as a function of the image?"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.noisy import NoisyMetric
from camforge_plugins.metrics.common.pair_metric import norms


class LocalLipschitz(NoisyMetric):
    """Local Lipschitz estimate, from 0, lower is better (Alvarez-Melis and Jaakkola, 2018, eq. 1).

    max over noise of at most ``radius`` of |map(x) - map(x + noise)| / |noise|, by ``samples`` draws. With ``relative``
    maps are first divided by |map(x)|, without which the number hangs on the scale of the method's maps.
    """

    name = "local_lipschitz"
    family = "robustness"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"local_lipschitz"})
    relative: bool = True
    """Divide the maps by their length first, so that their scale is nothing."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        steepest = (self.changes(pairs) / image_distances(self, pairs)).amax(1)
        return steepest if self.relative else steepest * norms(pairs.maps)


def image_distances(metric: NoisyMetric, pairs: MetricInput) -> Tensor:
    """(P, samples): |noise|."""
    images = pairs.batch.images[pairs.images]
    moved = [metric.noisy(pairs, sample) - images for sample in range(metric.samples)]
    return torch.stack([norms(step) for step in moved], 1)
