"""Networks that lose their weights layer by layer, and what becomes of their maps."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from camforge.api import ExplainedModel, MetricInput
from camforge_plugins.metrics.common.alike import Measure, alike
from camforge_plugins.metrics.common.draws import normal, of_draw, pair_seeds
from camforge_plugins.metrics.common.pair_metric import Count, ModelMetric


class RandomizationMetric(ModelMetric, ABC):
    """A metric that compares maps with those of networks whose weights are drawn anew."""

    measure: Measure = "spearman"
    """How two maps are compared: structural similarity, or a correlation of ranks or of values."""
    steps: Count = 6
    """How many networks, each without a like share of the layers more; at most one for each layer."""
    order: Literal["output first", "input first"] = "output first"
    """Whose weights are lost first: the layers' nearest to the output, or nearest to the input."""
    seed: int = 0
    """Of the new weights."""

    def forgetful(self, model: ExplainedModel) -> Iterator[ExplainedModel]:
        """The model without the weights of the first layers in the order, then of more, at last of all."""
        layers = model.weighted_layers if self.order == "output first" else model.weighted_layers[::-1]
        steps = min(self.steps, len(layers))
        for step in range(1, steps + 1):
            yield model.with_random_weights(layers[: round(step * len(layers) / steps)], self.seed)

    def likeness(self, pairs: MetricInput, before: Tensor, samples: int = 0, noise: float = 0.0) -> Tensor:
        """(P,): the mean over the networks of how alike their maps and ``before`` are. NaN for maps of zeros."""
        model = self.model(pairs)
        alikes = [alike(before, self.smooth(pairs, one, samples, noise), self.measure) for one in self.forgetful(model)]
        return torch.stack(alikes).mean(0).where((before != 0).flatten(1).any(1), torch.nan)

    def smooth(self, pairs: MetricInput, model: ExplainedModel, samples: int, noise: float) -> Tensor:
        """(P, H, W): the model's maps, or the mean of those of noisy photographs."""
        images = pairs.batch.images[pairs.images]
        if not samples:
            return self.maps(pairs, images, model=model)
        seeds = pair_seeds(pairs, by_class=False)
        total = torch.zeros_like(pairs.maps)
        for sample in range(samples):
            disturbed = images + noise * normal(of_draw(seeds, sample), images.shape[1:]).to(images)
            total = total + self.maps(pairs, disturbed, model=model) / samples
        return total
