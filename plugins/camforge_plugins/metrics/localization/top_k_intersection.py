"""How many of the map's highest pixels lie on the object."""

from __future__ import annotations

from torch import Tensor

from camforge_plugins.metrics.common.pair_metric import Share
from camforge_plugins.metrics.common.region_metric import RegionMetric, highest


class TopKIntersection(RegionMetric):
    """Top-k intersection, in percent, higher is better (Theiner et al., WACV 2022, sec. 4.2).

    Of the map's k highest pixels the share that lies on the object; k is a ``share`` of the photograph's pixels, the
    paper's 1000 of 224 x 224. An object of less than k pixels cannot earn 100. A map of one value points nowhere: 0.
    """

    name = "top_k_intersection"
    family = "localization"
    bounds = (0, 100)
    share: Share = 0.02
    """How many of the map's highest pixels are asked, as a share of the photograph's."""

    def region_values(self, maps: Tensor, region: Tensor, valid: Tensor) -> Tensor:
        size = (self.share * valid.sum(1)).round().long().clamp(min=1)
        hits = (highest(maps, valid, size) & region).sum(1).double() / size
        return 100 * hits * (maps.amax(1) > maps.amin(1))
