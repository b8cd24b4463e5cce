"""How much of the map's positive part lies on the object, and how much more than on an even map."""

from __future__ import annotations

import torch
from torch import Tensor

from camforge_plugins.metrics.common.region_metric import RegionMetric


class AttributionLocalization(RegionMetric):
    """Attribution localization mu, in percent, and mu_w, from 0 (Kohlbrenner et al., IJCNN 2020, eq. 9 and 10).

    attribution_localization  positive part of the map on the object over all of it; higher is better
    weighted_localization     mu times pixels of the photograph over pixels of the object: 1 for an even map, higher is
                              better, so that large objects earn nothing by their size
    A map without a positive value has 0.
    """

    name = "attribution_localization"
    family = "localization"
    bounds = (0, float("inf"))
    numbers = ("attribution_localization", "weighted_localization")

    def region_values(self, maps: Tensor, region: Tensor, valid: Tensor) -> Tensor:
        positive = maps.clamp(min=0)
        share = (positive * region).sum(1) / positive.sum(1).clamp(min=1e-300)
        size = valid.sum(1) / region.sum(1).clamp(min=1)
        return torch.stack([100 * share, share * size], 1)
