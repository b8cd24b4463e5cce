"""Random sets of pixels, what a map says of them, and what their loss costs."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

import torch
from torch import Tensor

from camforge.api import MetricInput, correlation
from camforge_plugins.metrics.common.draws import of_draw, pair_seeds, subsets
from camforge_plugins.metrics.common.pair_metric import Count, ModelMetric, Score, photographs


class SubsetMetric(ModelMetric, ABC):
    """A metric that correlates a map's sums over random sets of pixels with what their loss costs."""

    score: Score = "logit"
    runs: Count = 50

    def correlations(self, pairs: MetricInput, shares: Sequence[float]) -> Tensor:
        """(P, shares): for sets of each size Pearson's correlation over ``runs`` of them."""
        return torch.stack([self._correlation(pairs, place, share) for place, share in enumerate(shares)], 1)

    def _correlation(self, pairs: MetricInput, place: int, share: float) -> Tensor:
        pixels, seeds = pairs.maps[0].numel(), pair_seeds(pairs)
        size = max(1, round(share * pixels))
        sums = torch.zeros(len(pairs.maps), self.runs, dtype=torch.float64, device=pairs.maps.device)

        def without(pair: Tensor, step: Tensor) -> Tensor:
            drawn = subsets(of_draw(seeds[pair], step) + 7_919 * place, size, pixels)
            sums[pair, step] = (pairs.maps[pair].flatten(1).double() * drawn).sum(1)
            return photographs(pairs, pair).masked_fill(drawn.view(-1, 1, *pairs.maps.shape[1:]), 0)

        scores = self.changed(pairs, self.runs, without)
        return correlation(sums, self.unchanged(pairs)[:, None] - scores)
