"""Is the map concentrated on few pixels?"""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import PairMetric


class Sparseness(PairMetric):
    """The Gini index of |map|, 0..1, higher is sparser and better (Chalasani et al., ICML 2020, sec. 2.2).

    1 - 2 * sum over k of a_(k) / sum(a) * (n - k + 1/2) / n, with a the n absolute values in rising order. 0 for a map
    of one value; not defined, and not counted, for a map of zeros.
    """

    name = "sparseness"
    family = "complexity"
    bounds = (0, 1)

    def pair_values(self, pairs: MetricInput) -> Tensor:
        rising = pairs.maps.flatten(1).double().abs().sort(1).values
        count = rising.shape[1]
        weight = (count - torch.arange(1, count + 1, device=rising.device) + 0.5) / count
        return 1 - 2 * (rising * weight).sum(1) / rising.sum(1)
