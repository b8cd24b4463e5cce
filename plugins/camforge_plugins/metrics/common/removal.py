"""Photographs that lose what the map points at, step by step."""

from __future__ import annotations

from abc import ABC

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import Count, ModelMetric, photographs


class PatchMetric(ModelMetric, ABC):
    """A metric that removes square patches."""

    patch: Count = 8
    """Side of the squares in pixels."""

    def without_each(self, pairs: MetricInput, grid: Tensor) -> Tensor:
        """(P, patches): the scores with each patch of ``grid`` (H, W) set to the mean colour, one at a time."""

        def without(pair: Tensor, step: Tensor) -> Tensor:
            return photographs(pairs, pair).masked_fill((grid == step[:, None, None])[:, None], 0)

        def ask() -> Tensor:
            return self.changed(pairs, int(grid.max()) + 1, without)

        return pairs.shared(("without each patch", self.score, self.patch), ask)


def between_extremes(images: Tensor, drawn: Tensor) -> Tensor:
    """Numbers in [0, 1) of the images' shape (N, 3, H, W) -> between each image's least and greatest value."""
    low, high = (edge(images, (1, 2, 3))[:, None, None, None] for edge in (torch.amin, torch.amax))
    return low + drawn.to(images) * (high - low)
