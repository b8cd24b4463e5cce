"""Does the map leave parts alone that do not matter?"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.interventions import InterventionMetric


class PartDistractibility(InterventionMetric):
    """Distractibility over parts, in percent, higher is better (FunnyBirds, Hesse et al., ICCV 2023, sec. 3.3).

    Of a scene's parts without which the score falls by less than ``least`` of the largest fall, the share on which the
    map has less than ``least`` of what it has on the part where it is largest. Scenes in which every part matters are
    not counted.
    """

    name = "part_distractibility"
    family = "faithfulness"
    bounds = (0, 100)
    least: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """A part does not matter below this share of the largest fall, or of the map on its largest part."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        found, count = self.removals(pairs), len(pairs.maps)
        idle = self._small(found.drops, found.pairs, count)
        quiet = idle & self._small(found.told, found.pairs, count)
        share = (
            100
            * torch.bincount(found.pairs[quiet], minlength=count)
            / torch.bincount(found.pairs[idle], minlength=count)
        )
        return share.double()

    def _small(self, values: Tensor, pairs: Tensor, count: int) -> Tensor:
        """(R,) bool: below ``least`` of the pair's largest value, or of nothing where that is not positive."""
        most = values.new_zeros(count).scatter_reduce(0, pairs, values, "amax")
        return values <= self.least * most[pairs]
