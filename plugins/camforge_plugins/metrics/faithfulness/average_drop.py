"""How much of the class is left where the map looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput, max_normalise
from camforge_plugins.metrics.common.faithful import FaithfulnessMetric
from camforge_plugins.metrics.common.pairs import class_mean


class AverageDrop(FaithfulnessMetric):
    """Average drop and increase of a class's probability, in percent (Chattopadhay et al., Grad-CAM++, 2018, sec. 4.1).

    The photograph is multiplied by the map after ReLU, divided by its maximum. With Y the probability before and O
    after: drop = max(0, Y - O) / Y (lower is better), increase = the share of pairs with O > Y.
    """

    name = "average_drop"
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"average_drop"})

    @property
    def numbers(self) -> int:
        return 2

    def pair_numbers(self, pairs: MetricInput, pair: int) -> Tensor:
        image, label = pairs.batch.images[int(pairs.images[pair])], int(pairs.classes[pair])
        kept = image * max_normalise(pairs.maps[pair][None])[0]
        before, after = self.probabilities(pairs, torch.stack([image, kept]), label)
        drop = (before - after).clamp(min=0) / before.clamp(min=1e-12)
        return 100 * torch.stack([drop, (after > before).to(drop)])

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        count = total[:, 0]
        numbers: dict[str, float] = {}
        for place, name in enumerate(("average_drop", "average_increase"), start=1):
            numbers |= class_mean(name, total[:, place] / count.clamp(min=1), count > 0, classes)
        return numbers
