"""Is the map zero where, and only where, nothing matters?"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import Count, Score
from camforge_plugins.metrics.common.patches import patch_grid, patch_sums
from camforge_plugins.metrics.common.removal import PatchMetric


class NonSensitivity(PatchMetric):
    """Non-sensitivity, in percent of the patches, lower is better (Nguyen and Rodriguez Martinez, 2020, sec. 2.3).

    How many patches are in one of two sets alone: those where the map is nothing, and those without which the score is
    the same. Nothing, and the same: below ``least`` of the largest sum of |map|, and of the largest change.
    """

    name = "non_sensitivity"
    family = "axiomatic"
    bounds = (0, 100)
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"non_sensitivity"})
    score: Score = "logit"
    patch: Count = 8
    least: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """What is below this share of the largest counts as nothing."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        grid = patch_grid(pairs.maps, self.patch, self.name)
        change = (self.unchanged(pairs)[:, None] - self.without_each(pairs, grid)).abs()
        quiet, silent = (self._nothing(values) for values in (patch_sums(pairs.maps.abs(), grid), change))
        return 100 * (quiet ^ silent).double().mean(1)

    def _nothing(self, values: Tensor) -> Tensor:
        return values <= self.least * values.amax(1, keepdim=True)
