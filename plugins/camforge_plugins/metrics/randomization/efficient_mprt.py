"""Does the map become more complex when the network forgets everything?"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import MetricInput, minmax_normalise
from camforge_plugins.metrics.common.pair_metric import ModelMetric


class EfficientMPRT(ModelMetric):
    """Efficient MPRT, from -1, higher is better (Hedstrom et al., 2023, eq. 8).

    (xi(map without weights) - xi(map)) / xi(map), xi being the entropy of the histogram of a map's values, stretched to
    0..1, in ``bins``. Constant maps, whose entropy is 0, are not counted.
    """

    name = "efficient_mprt"
    family = "randomization"
    bounds = (-1, float("inf"))
    bins: Annotated[int, Field(ge=2, le=1000)] = 100
    """Of the histogram of a map's values."""
    seed: int = 0
    """Of the new weights."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        model = self.model(pairs)
        lost = model.with_random_weights(model.weighted_layers, self.seed)
        after = self.maps(pairs, pairs.batch.images[pairs.images], model=lost)
        before, after = histogram_entropy(pairs.maps, self.bins), histogram_entropy(after, self.bins)
        return ((after - before) / before).where(before > 0, torch.nan)


def histogram_entropy(maps: Tensor, bins: int) -> Tensor:
    """(P, H, W) -> (P,) float64: - sum p ln p over the bins of each map's values; 0 for a constant map."""
    scaled = minmax_normalise(maps.double()).flatten(1)
    place = (scaled * bins).long().clamp(max=bins - 1)
    count = torch.zeros(len(maps), bins, dtype=torch.float64, device=maps.device)
    share = count.scatter_add_(1, place, torch.ones_like(scaled)) / scaled.shape[1]
    return -torch.xlogy(share, share).sum(1)
