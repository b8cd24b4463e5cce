"""How far can a little noise move the map?"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.noisy import NoisyMetric


class MaxSensitivity(NoisyMetric):
    """Max-sensitivity, from 0, lower is better (Yeh et al., NeurIPS 2019, definition 4.1).

    max over noise of at most ``radius`` of |map(x + noise) - map(x)| / |map(x)|, estimated by ``samples`` draws; the
    division is that of the authors' code. Maps of zeros are not counted.
    """

    name = "max_sensitivity"
    family = "robustness"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"max_sensitivity"})

    def pair_values(self, pairs: MetricInput) -> Tensor:
        return self.changes(pairs).amax(1)
