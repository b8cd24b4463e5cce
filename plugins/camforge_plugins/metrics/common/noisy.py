"""Photographs with a little noise, and what becomes of their maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.draws import of_draw, pair_seeds, uniform
from camforge_plugins.metrics.common.pair_metric import Count, ModelMetric, norms

SMALLEST = 1e-6  # what stands for zero in a denominator (Agarwal et al. 2022)


class NoisyMetric(ModelMetric, ABC):
    """A metric that looks at maps of noisy photographs, which all such metrics of a batch share."""

    radius: Annotated[float, Field(gt=0)] = 0.1
    """Noise is drawn uniformly from -radius to radius, for each colour of each normalised pixel."""
    samples: Count = 8
    """Noisy photographs of each image."""

    def noisy(self, pairs: MetricInput, sample: int) -> Tensor:
        """(P, 3, H, W): the pairs' photographs with the noise of a sample, the same for an image's classes."""
        images = pairs.batch.images[pairs.images]
        seeds = of_draw(pair_seeds(pairs, by_class=False), sample)
        return images + self.radius * (2 * uniform(seeds, images.shape[1:]) - 1).to(images)

    def noisy_maps(self, pairs: MetricInput) -> Tensor:
        """(P, samples, H, W)."""

        def ask() -> Tensor:
            return torch.stack([self.maps(pairs, self.noisy(pairs, sample)) for sample in range(self.samples)], 1)

        return pairs.shared(("noisy maps", self.radius, self.samples), ask)

    def changes(self, pairs: MetricInput) -> Tensor:
        """(P, samples): |map of the noisy photograph - map| / |map|, Euclidean; NaN for a map of zeros."""
        maps = pairs.maps.double()
        change = sample_norms(self.noisy_maps(pairs).double() - maps[:, None])
        size = norms(maps)[:, None]
        return (change / size).where(size > 0, torch.nan)


class RelativeStability(NoisyMetric, ABC):
    """The largest relative change of the map for a change of something else, over samples of the same prediction.

    Pairs whose prediction changes with every sample, and maps of zeros, are not counted.
    """

    zeros: Literal["leave out", "smallest"] = "leave out"
    """A pixel where the map is 0 has no relative change: leave it out, or divide by 1e-6 as the paper's code does."""

    @abstractmethod
    def distances(self, pairs: MetricInput) -> Tensor:
        """(P, samples): how far the noisy photographs lie from their own."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        change = self._map_changes(pairs)
        same = self.noisy_logits(pairs).argmax(2) == self.logits(pairs).argmax(1)[:, None]
        known = same & (pairs.maps != 0).flatten(1).any(1)[:, None]
        worst = (change / self.distances(pairs).clamp(min=SMALLEST)).where(known, -1).amax(1)
        return worst.where(known.any(1), torch.nan)

    def logits(self, pairs: MetricInput) -> Tensor:
        """(P, C) float64 of the photographs as they are."""
        images = pairs.batch.images
        return pairs.shared("logits", lambda: self._finite(self.model(pairs).score(images)).double())[pairs.images]

    def noisy_logits(self, pairs: MetricInput) -> Tensor:
        """(P, samples, C) float64."""

        def ask() -> Tensor:
            found = [self.model(pairs).score(self.noisy(pairs, sample)) for sample in range(self.samples)]
            return self._finite(torch.stack(found, 1)).double()

        return pairs.shared(("noisy logits", self.radius, self.samples), ask)

    def _map_changes(self, pairs: MetricInput) -> Tensor:
        before, after = pairs.maps.double()[:, None], self.noisy_maps(pairs).double()
        ratio = relative(before, after)
        if self.zeros == "leave out":
            ratio = ratio.where(before != 0, 0)
        return sample_norms(ratio)


def sample_norms(values: Tensor) -> Tensor:
    """(P, samples, …) -> (P, samples) float64, Euclidean."""
    return norms(values.flatten(0, 1)).view(values.shape[:2])


def relative(before: Tensor, after: Tensor) -> Tensor:
    """(before - after) / before, where ``before`` is 0 over 1e-6."""
    return (before - after) / before.where(before != 0, SMALLEST)
