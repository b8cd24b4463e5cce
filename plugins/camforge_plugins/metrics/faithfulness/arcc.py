"""ROAD, coherency and complexity as one number."""

from __future__ import annotations

from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.coherent import CoherentMetric, harmonic_mean
from camforge_plugins.metrics.common.pair_metric import Fractions
from camforge_plugins.metrics.faithfulness.road import ROAD


class ARCC(CoherentMetric):
    """ARCC, in percent, higher is better (arXiv 2605.14641, 2026).

    The harmonic mean of coherency ((1 + Pearson's correlation of the map with that of the photograph it masks) / 2),
    1 - complexity (the map's mean) and ROAD, LeRF - MoRF of the ``shares``, at least 0. So a map that does worse than
    its opposite has 0, whatever else it does.
    """

    name = "arcc"
    family = "faithfulness"
    bounds = (0, 100)
    shares: Fractions = (0.2, 0.4, 0.6, 0.8)
    """Shares of the pixels that ROAD removes."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        road = ROAD(score=self.score, shares=self.shares, noise=0.01).pair_values(pairs) / 50
        return 100 * harmonic_mean(self.coherency(pairs), self.simplicity(pairs), road.clamp(0, 1))
