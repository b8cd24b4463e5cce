"""Does the sum of a map over random pixels tell what their loss costs?"""

from __future__ import annotations

from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import Count, Share
from camforge_plugins.metrics.common.subsets import SubsetMetric


class FaithfulnessCorrelation(SubsetMetric):
    """Faithfulness correlation, -1..1, higher is better (Bhatt et al., IJCAI 2020, eq. 1).

    corr over random sets S of one size of (sum of the map over S, f(x) - f(x without S)): what is removed becomes the
    mean colour. 0 where the map, or what the sets cost, is the same for all sets.
    """

    name = "faithfulness_correlation"
    family = "faithfulness"
    bounds = (-1, 1)
    share: Share = 0.1
    """Of the pixels, in each set."""
    runs: Count = 50
    """Sets for each map."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        return self.correlations(pairs, [self.share])[:, 0]
