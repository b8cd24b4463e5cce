"""How fast the class goes when pixels are flipped."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import Count, ModelMetric, photographs, ranks


class PixelFlipping(ModelMetric):
    """Area under the class's probability while pixels flip, in percent, lower is better (Bach et al., PLoS ONE 2015).

    From the map's highest to its lowest, in ``steps`` equal shares, pixels change their sign: black and white swap
    around the mean colour, as the paper's figure 14 has it. The area is the trapezoids', over 0 to all pixels.
    """

    name = "pixel_flipping"
    family = "faithfulness"
    bounds = (0, 100)
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"pixel_flipping"})
    steps: Count = 20
    """Equal shares in which the pixels flip."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        order, steps = ranks(pairs.maps), torch.arange(self.steps + 1, device=pairs.maps.device)
        counts = (steps * order[0].numel() / self.steps).round()

        def flipped(pair: Tensor, step: Tensor) -> Tensor:
            images = photographs(pairs, pair)
            return torch.where((order[pair] < counts[step][:, None, None])[:, None], -images, images)

        return 100 * torch.trapezoid(self.changed(pairs, len(steps), flipped)) / self.steps
