"""How many of the map's highest pixels, as many as the object has, lie on the object."""

from __future__ import annotations

from torch import Tensor

from camforge_plugins.metrics.common.region_metric import RegionMetric, highest


class RelevanceRank(RegionMetric):
    """Relevance rank accuracy, in percent, higher is better (Arras et al., Information Fusion 2022, eq. 3).

    Of the map's K highest pixels, K being the object's pixels, the share that lies on the object. A map of one value
    points nowhere: 0.
    """

    name = "relevance_rank"
    family = "localization"
    bounds = (0, 100)

    def region_values(self, maps: Tensor, region: Tensor, valid: Tensor) -> Tensor:
        size = region.sum(1)
        hits = (highest(maps, valid, size) & region).sum(1).double() / size.clamp(min=1)
        return 100 * hits * (maps.amax(1) > maps.amin(1))
