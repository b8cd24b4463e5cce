"""Three metrics of a map's shape. Maps are rectified; one that is zero everywhere counts for nothing."""

from typing import Annotated

import torch
from pydantic import Field

from camforge.api import CamForgeError, Metric


class _Mean(Metric):
    """The mean of one number per map."""

    undirected = frozenset()

    def update(self, metric_input):
        maps = metric_input.maps.double()
        if not maps.isfinite().all():
            raise CamForgeError(f"metric {self.name!r}: a map is NaN or infinite")
        maps = maps.relu()
        some = maps.flatten(1).amax(1) > 0
        values = self.of(maps[some])
        return torch.stack([values.sum(), some.sum().double()])

    def compute(self, total, classes):
        del classes
        return {self.name: float(total[0] / total[1]) if total[1] > 0 else float("nan")}


class PeakShare(_Mean):
    """How much of a map's mass its strongest pixels hold, in percent (0..100)."""

    name = "peak_share"
    api = "2.0"
    undirected = frozenset({"peak_share"})

    percent: Annotated[float, Field(gt=0, le=100)] = 5.0
    """Of the pixels, the strongest of which are counted; at least one."""

    def of(self, maps):
        flat = maps.flatten(1)
        count = max(1, round(flat.shape[1] * self.percent / 100))
        return 100 * flat.topk(count, 1).values.sum(1) / flat.sum(1)


class Roughness(_Mean):
    """The mean step between neighbouring pixels of the max-normalised map (0..1): anisotropic total variation."""

    name = "roughness"
    api = "2.0"
    undirected = frozenset({"roughness"})

    def of(self, maps):
        scaled = maps / maps.amax((1, 2), keepdim=True)
        across, down = scaled.diff(dim=2).abs(), scaled.diff(dim=1).abs()
        steps = across[0].numel() + down[0].numel() if len(maps) else 1
        return (across.sum((1, 2)) + down.sum((1, 2))) / max(1, steps)


class Spread(_Mean):
    """The mass's root mean square distance from its centre, in percent of the map's diagonal (0..50)."""

    name = "spread"
    api = "2.0"
    undirected = frozenset({"spread"})

    def of(self, maps):
        height, width = maps.shape[1:]
        y, x = (torch.arange(n, dtype=torch.float64, device=maps.device) for n in (height, width))
        weights = maps / maps.sum((1, 2), keepdim=True)
        down, across = weights.sum(2), weights.sum(1)
        variance = (down @ y**2 - (down @ y) ** 2) + (across @ x**2 - (across @ x) ** 2)
        return 100 * variance.clamp(min=0).sqrt() / (height**2 + width**2) ** 0.5
