"""Do patches that the map finds important change the score more?"""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import MetricInput, rank_correlation
from camforge_plugins.metrics.common.draws import of_draw, pair_seeds, uniform
from camforge_plugins.metrics.common.pair_metric import Count, Score, photographs
from camforge_plugins.metrics.common.patches import patch_grid, patch_sums
from camforge_plugins.metrics.common.removal import PatchMetric, between_extremes


class MonotonicityCorrelation(PatchMetric):
    """Monotonicity, -1..1, higher is better (Nguyen and Rodriguez Martinez, 2020, sec. 2.3).

    Spearman's correlation over patches of |map| and E[(f(x) - f(x with the patch drawn anew))^2] / f(x)^2; the division
    changes no rank. Drawn: each colour of a pixel uniformly between the photograph's least and greatest value.
    """

    name = "monotonicity_correlation"
    family = "faithfulness"
    bounds = (-1, 1)
    score: Score = "logit"
    patch: Count = 8
    samples: Count = 4
    """Draws of each patch."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        grid, seeds = patch_grid(pairs.maps, self.patch, self.name), pair_seeds(pairs)
        count = int(grid.max()) + 1

        def drawn_anew(pair: Tensor, step: Tensor) -> Tensor:
            images, patch = photographs(pairs, pair), step.div(self.samples, rounding_mode="floor")
            noise = between_extremes(images, uniform(of_draw(seeds[pair], step), images.shape[1:]))
            return torch.where((grid == patch[:, None, None])[:, None], noise, images)

        scores = self.changed(pairs, count * self.samples, drawn_anew).view(-1, count, self.samples)
        spread = ((scores - self.unchanged(pairs)[:, None, None]) ** 2).mean(2)
        return rank_correlation(patch_sums(pairs.maps.abs(), grid), spread)
