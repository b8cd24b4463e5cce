"""How much of the photograph must be there, in the map's order, for the class to stay what it is?"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import Count, ModelMetric, photographs, ranks


class EffectiveComplexity(ModelMetric):
    """Effective complexity, in percent, lower is better (Nguyen and Rodriguez Martinez, 2020, sec. 2.3).

    The least share of the pixels, by falling |map|, that must be kept for the loss (f(x) - f(x with the rest at the
    mean colour))^2 / f(x)^2 to be below ``tolerance``. In ``steps`` equal shares.
    """

    name = "effective_complexity"
    family = "complexity"
    bounds = (0, 100)
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"effective_complexity"})
    steps: Count = 20
    """Equal shares in which pixels are kept."""
    tolerance: Annotated[float, Field(gt=0)] = 0.05
    """The loss, relative to the squared score, below which the class is what it was."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        order, steps = ranks(pairs.maps.abs()), torch.arange(self.steps + 1, device=pairs.maps.device)
        counts = (steps * order[0].numel() / self.steps).round()

        def kept(pair: Tensor, step: Tensor) -> Tensor:
            return photographs(pairs, pair).masked_fill((order[pair] >= counts[step][:, None, None])[:, None], 0)

        before = self.unchanged(pairs)[:, None]
        loss = (before - self.changed(pairs, len(steps), kept)) ** 2 / (before**2).clamp(min=1e-30)
        loss[:, -1] = 0  # nothing is missing
        return 100 * (loss < self.tolerance).int().argmax(1).double() / self.steps
