"""How much of the class is left where the map looks."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput, max_normalise
from camforge_plugins.metrics.common.pair_metric import ModelMetric


class AverageDrop(ModelMetric):
    """Average drop and increase of a class's probability, in percent (Chattopadhay et al., Grad-CAM++, 2018, sec. 4.1).

    The photograph is multiplied by the map after ReLU, divided by its maximum. With Y the probability before and O
    after: drop = max(0, Y - O) / Y (lower is better), increase = the share of pairs with O > Y.
    """

    name = "average_drop"
    version = "2"
    family = "faithfulness"
    bounds = (0, 100)
    numbers = ("average_drop", "average_increase")
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"average_drop"})

    def pair_values(self, pairs: MetricInput) -> Tensor:
        before, after = self.unchanged(pairs), self.seen(pairs)
        return 100 * torch.stack([drop(before, after), (after > before).to(before)], 1)

    def seen(self, pairs: MetricInput) -> Tensor:
        """(P,): the scores of the photographs times their maps."""
        scaled = pairs.batch.images[pairs.images] * max_normalise(pairs.maps)[:, None]
        return self.scores(pairs, scaled, pairs.classes)


def drop(before: Tensor, after: Tensor) -> Tensor:
    """max(0, before - after) / before."""
    return (before - after).clamp(min=0) / before.clamp(min=1e-12)
