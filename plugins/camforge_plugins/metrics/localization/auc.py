"""Does the map tell the object's pixels from the others?"""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import mean_ranks
from camforge_plugins.metrics.common.region_metric import RegionMetric


class AUC(RegionMetric):
    """Area under the ROC curve of each map's pixels, in percent, higher is better (Fawcett 2006, sec. 7).

    How often a pixel of the object is higher than one beside it, ties counting half: 50 for a map of one value. From
    ranks, as Mann and Whitney's U. A class that fills its photograph has none and is not counted.
    """

    name = "auc"
    family = "localization"
    bounds = (0, 100)

    def region_values(self, maps: Tensor, region: Tensor, valid: Tensor) -> Tensor:
        below = maps.amin(1, keepdim=True) - 1  # pixels that do not count lie below all others
        ranks = mean_ranks(maps.where(valid, below)) - (~valid).sum(1, keepdim=True)
        inside, outside = region.sum(1).double(), (valid & ~region).sum(1).double()
        area = (ranks.where(region, 0).sum(1) - inside * (inside + 1) / 2) / (inside * outside)
        return (100 * area).where(outside > 0, torch.nan)
