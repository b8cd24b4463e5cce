"""How much of the class goes with the superpixels that the map points at."""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import Count, ModelMetric, photographs
from camforge_plugins.metrics.common.patches import on_pixels, patch_ranks, patch_sums
from camforge_plugins.metrics.common.superpixels import superpixels


class IROF(ModelMetric):
    """Iterative removal of features, in percent, higher is better (Rieger and Hansen, 2020, sec. 3).

    The area over the curve: 100 * (1 - mean over k of f(x without the first k superpixels) / f(x)), superpixels in the
    order of the map's mean over them, set to the mean colour. At most 100; below 0 where the class gains by the loss.
    """

    name = "irof"
    family = "faithfulness"
    bounds = (-float("inf"), 100)
    segments: Count = 40
    """Superpixels, about; k-means of colour and place."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        images = pairs.batch.images
        regions = pairs.shared(("superpixels", self.segments), lambda: superpixels(images, self.segments))[pairs.images]
        order = on_pixels(patch_ranks(pairs.maps, regions, mean=True), regions)
        steps = int(regions.max()) + 1

        def without(pair: Tensor, step: Tensor) -> Tensor:
            return photographs(pairs, pair).masked_fill((order[pair] <= step[:, None, None])[:, None], 0)

        ratios = self.changed(pairs, steps, without) / self.unchanged(pairs).clamp(min=1e-12)[:, None]
        count = (patch_sums(torch.ones_like(pairs.maps), regions) > 0).sum(1)  # some lost all their pixels
        there = torch.arange(steps, device=ratios.device) < count[:, None]
        return 100 * (1 - (ratios * there).sum(1) / count)
