"""How much of the class goes with the regions that the map points at."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.draws import pair_seeds, uniform
from camforge_plugins.metrics.common.pair_metric import Count, Score, photographs
from camforge_plugins.metrics.common.patches import on_pixels, patch_grid, patch_ranks
from camforge_plugins.metrics.common.removal import PatchMetric, between_extremes


class RegionPerturbation(PatchMetric):
    """AOPC, the area over the perturbation curve, higher is better (Samek et al., TNNLS 2017, eq. 12).

    1 / (L + 1) * sum over k = 0..L of f(x) - f(x with k regions drawn anew), regions being squares in the order of the
    map's sum, the most relevant first (MoRF); drawn: each colour of a pixel uniformly between the photograph's least
    and greatest value. In units of the ``score``, so of any size for logits.
    """

    name = "region_perturbation"
    family = "faithfulness"
    score: Score = "logit"
    patch: Count = 9
    regions: Count = 20
    """L; all regions, where the map has fewer."""
    order: Literal["most", "least"] = "most"
    """The most relevant regions first, or the least (LeRF, whose AOPC should be low)."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        maps = pairs.maps if self.order == "most" else -pairs.maps
        grid, seeds = patch_grid(maps, self.patch, self.name), pair_seeds(pairs, by_class=False)
        order = on_pixels(patch_ranks(maps, grid), grid[None])
        steps = 1 + min(self.regions, int(grid.max()) + 1)

        def perturbed(pair: Tensor, step: Tensor) -> Tensor:
            images = photographs(pairs, pair)
            noise = between_extremes(images, uniform(seeds[pair], images.shape[1:]))
            return torch.where((order[pair] < step[:, None, None])[:, None], noise, images)

        return (self.unchanged(pairs)[:, None] - self.changed(pairs, steps, perturbed)).mean(1)
