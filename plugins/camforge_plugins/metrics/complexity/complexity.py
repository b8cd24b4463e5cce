"""Over how many pixels is the map spread?"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import PairMetric


class Complexity(PairMetric):
    """The entropy of |map|, 0..ln(H * W), lower is better (Bhatt et al., IJCAI 2020, eq. 3).

    - sum p ln p, with p = |map| / sum |map|. Not defined, and not counted, for a map of zeros.
    """

    name = "complexity"
    family = "complexity"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"complexity"})

    def pair_values(self, pairs: MetricInput) -> Tensor:
        size = pairs.maps.flatten(1).double().abs()
        return -torch.xlogy(share := size / size.sum(1, keepdim=True), share).sum(1)
