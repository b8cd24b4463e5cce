"""Does the map go steadily where the image moves?"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import Count, ModelMetric, norms


class Continuity(ModelMetric):
    """Continuity, from 0, lower is better (Montavon et al., DSP 2018, sec. 6.1).

    max over x' of |map(x) - map(x')|_1 / |x - x'|_2, x' being the photograph moved sideways by 1 to ``steps`` pixels,
    the mean colour behind it. Maps are first divided by |map(x)|_1, so that their scale is nothing; maps of zeros are
    not counted.
    """

    name = "continuity"
    family = "robustness"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"continuity"})
    steps: Count = 4
    """The farthest that the photograph is moved, in pixels."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        images, maps = pairs.batch.images[pairs.images], pairs.maps.double().flatten(1)
        size, found = maps.abs().sum(1), []
        for step in range(1, self.steps + 1):
            moved = shifted(images, step)
            change = (self.maps(pairs, moved).double().flatten(1) - maps).abs().sum(1)
            found.append(change / norms(moved - images).clamp(min=1e-12))
        return (torch.stack(found, 1).amax(1) / size).where(size > 0, torch.nan)


def shifted(images: Tensor, by: int) -> Tensor:
    """(N, 3, H, W) to the right by a number of pixels, zeros from the left."""
    moved = torch.zeros_like(images)
    moved[..., by:] = images[..., : images.shape[-1] - by]
    return moved
