"""Is the map of another class another map?"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from camforge.api import MetricInput, Requirement
from camforge_plugins.metrics.common.alike import Measure, alike
from camforge_plugins.metrics.common.draws import pair_seeds, uniform
from camforge_plugins.metrics.common.pair_metric import ModelMetric


class RandomLogit(ModelMetric):
    """Random logit test, -1..1, lower is better (Sixt et al., ICML 2020, sec. 5).

    How alike the map and that of a random other class of the same photograph are. A method whose number stays near 1
    shows the photograph, not the class.
    """

    name = "random_logit"
    family = "randomization"
    bounds = (-1, 1)
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"random_logit"})
    measure: Measure = "ssim"
    """How two maps are compared: structural similarity, or a correlation of ranks or of values."""

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"several classes"})

    def pair_values(self, pairs: MetricInput) -> Tensor:
        classes = pairs.batch.labels.shape[1]
        step = 1 + (uniform(pair_seeds(pairs), ()) * (classes - 1)).long()
        other = self.maps(pairs, pairs.batch.images[pairs.images], (pairs.classes + step) % classes)
        return alike(pairs.maps, other, self.measure)
