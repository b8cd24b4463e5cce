"""How far does a little noise move the map?"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.noisy import NoisyMetric


class AvgSensitivity(NoisyMetric):
    """Average sensitivity, from 0, lower is better (Bhatt et al., IJCAI 2020, eq. 2; Yeh et al. 2019).

    The mean over noise of at most ``radius`` of |map(x + noise) - map(x)| / |map(x)|, over ``samples`` draws. Maps of
    zeros are not counted.
    """

    name = "avg_sensitivity"
    family = "robustness"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"avg_sensitivity"})

    def pair_values(self, pairs: MetricInput) -> Tensor:
        return self.changes(pairs).mean(1)
