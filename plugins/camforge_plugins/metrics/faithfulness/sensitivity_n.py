"""Does the sum of a map over random pixels tell what their loss costs, however many they are?"""

from __future__ import annotations

from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import Count, Fractions
from camforge_plugins.metrics.common.subsets import SubsetMetric


class SensitivityN(SubsetMetric):
    """Sensitivity-n, -1..1, higher is better (Ancona et al., ICLR 2018, sec. 4).

    For each n, corr over random sets S of n pixels of (sum of the map over S, f(x) - f(x without S)), with x without S
    at the mean colour; the mean over the ``shares`` that n is of all pixels. The papers draw it over n.
    """

    name = "sensitivity_n"
    family = "faithfulness"
    bounds = (-1, 1)
    shares: Fractions = (0.01, 0.05, 0.2, 0.5, 0.8)
    """How large the sets of pixels are, as shares of all of them."""
    runs: Count = 20
    """Sets of each size for each map."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        return self.correlations(pairs, self.shares).mean(1)
