"""Does each patch's share of the map tell what its loss costs?"""

from __future__ import annotations

from torch import Tensor

from camforge.api import MetricInput, correlation
from camforge_plugins.metrics.common.pair_metric import Count, Score
from camforge_plugins.metrics.common.patches import patch_grid, patch_sums
from camforge_plugins.metrics.common.removal import PatchMetric


class FaithfulnessEstimate(PatchMetric):
    """Faithfulness estimate, -1..1, higher is better (Alvarez-Melis and Jaakkola, NeurIPS 2018, sec. 5).

    Every patch is removed alone (set to the mean colour): Pearson's correlation of the map's sum over it with
    f(x) - f(x without it). 0 where either is constant.
    """

    name = "faithfulness_estimate"
    family = "faithfulness"
    bounds = (-1, 1)
    score: Score = "sigmoid"
    patch: Count = 8

    def pair_values(self, pairs: MetricInput) -> Tensor:
        grid = patch_grid(pairs.maps, self.patch, self.name)
        lost = self.unchanged(pairs)[:, None] - self.without_each(pairs, grid)
        return correlation(patch_sums(pairs.maps, grid), lost)
