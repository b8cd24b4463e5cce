"""What ADCC and ARCC share: is the map the same on the photograph that it masks, and how much of it is there?"""

from __future__ import annotations

from abc import ABC

import torch
from torch import Tensor

from camforge.api import MetricInput, correlation, max_normalise
from camforge_plugins.metrics.common.pair_metric import ModelMetric


class CoherentMetric(ModelMetric, ABC):
    """A metric that masks the photograph by its map, after ReLU and divided by its maximum."""

    def coherency(self, pairs: MetricInput) -> Tensor:
        """(P,) 0..1: (1 + Pearson's correlation of the map with that of the masked photograph) / 2."""

        def ask() -> Tensor:
            heat = max_normalise(pairs.maps)
            again = max_normalise(self.maps(pairs, pairs.batch.images[pairs.images] * heat[:, None]))
            return (1 + correlation(heat.flatten(1), again.flatten(1))) / 2

        return pairs.shared("coherency", ask)

    def simplicity(self, pairs: MetricInput) -> Tensor:
        """(P,) 0..1: one minus the mean of the map, its L1 norm over its pixels."""
        return 1 - max_normalise(pairs.maps).double().mean((1, 2))


def harmonic_mean(*values: Tensor) -> Tensor:
    """(P,) each -> (P,): 0 where one of them is 0."""
    return len(values) / torch.stack([1 / value.double().clamp(min=1e-8) for value in values]).sum(0)
