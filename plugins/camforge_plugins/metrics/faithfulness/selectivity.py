"""How fast the score falls without the patches that the map points at."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import Count, Score, photographs
from camforge_plugins.metrics.common.patches import on_pixels, patch_grid, patch_ranks
from camforge_plugins.metrics.common.removal import PatchMetric


class Selectivity(PatchMetric):
    """Area under the probability while patches go, in percent, lower is better (Montavon et al., DSP 2018, sec. 6.2).

    Patches are set to the mean colour one after another, in the order of the map's sum over them; the trapezoids' area
    from none to all patches.
    """

    name = "selectivity"
    family = "faithfulness"
    bounds = (0, 100)
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"selectivity"})
    score: Score = "sigmoid"
    patch: Count = 8

    def pair_values(self, pairs: MetricInput) -> Tensor:
        grid = patch_grid(pairs.maps, self.patch, self.name)
        order, steps = on_pixels(patch_ranks(pairs.maps, grid), grid[None]), int(grid.max()) + 2

        def without(pair: Tensor, step: Tensor) -> Tensor:
            return photographs(pairs, pair).masked_fill((order[pair] < step[:, None, None])[:, None], 0)

        return 100 * torch.trapezoid(self.changed(pairs, steps, without)) / (steps - 1)
