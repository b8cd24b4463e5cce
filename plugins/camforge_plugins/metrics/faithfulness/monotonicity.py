"""Does the class only ever gain while its pixels come, the least relevant first?"""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import Count, ModelMetric, photographs, ranks


class Monotonicity(ModelMetric):
    """How often the class's probability never falls, in percent, higher is better (Arya et al., 2019, sec. 6).

    Pixels come into a photograph of the mean colour in ``steps`` equal shares, by rising |map|; a pair is monotone
    where no step lowers the probability.
    """

    name = "monotonicity"
    family = "faithfulness"
    bounds = (0, 100)
    steps: Count = 10
    """Equal shares in which the pixels come."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        order, steps = ranks(-pairs.maps.abs()), torch.arange(1, self.steps + 1, device=pairs.maps.device)
        counts = (steps * order[0].numel() / self.steps).round()

        def come(pair: Tensor, step: Tensor) -> Tensor:
            return photographs(pairs, pair).masked_fill((order[pair] >= counts[step][:, None, None])[:, None], 0)

        return 100 * (self.changed(pairs, self.steps, come).diff(dim=1) >= 0).all(1).double()
