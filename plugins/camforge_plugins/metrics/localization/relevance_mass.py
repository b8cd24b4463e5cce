"""How much of the map's mass lies on the object."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from camforge_plugins.metrics.common.region_metric import RegionMetric


class RelevanceMass(RegionMetric):
    """Relevance mass accuracy, in percent, higher is better (Arras et al., Information Fusion 2022, eq. 2).

    The map's mass on the object over all of it. Mass is the squared map, the paper's l2-norm-sq, or another of its
    poolings. A map of zeros, or without mass, has 0.
    """

    name = "relevance_mass"
    family = "localization"
    bounds = (0, 100)
    mass: Literal["square", "absolute", "positive"] = "square"
    """What of a map is its mass: its square, its absolute value, or what is positive."""

    def region_values(self, maps: Tensor, region: Tensor, valid: Tensor) -> Tensor:
        del valid
        mass = {"square": maps.square, "absolute": maps.abs, "positive": maps.relu}[self.mass]()
        return 100 * (mass * region).sum(1) / mass.sum(1).clamp(min=1e-300)
