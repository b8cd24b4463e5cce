"""Maps that look at nothing: what every number must be held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from camforge.config.schema import EVERYTHING, GAUSSIAN
from camforge.data.prepared import Prepared
from camforge.pipeline.fuse import Classify, SplitMaps
from camforge.types import Batch, MetricInput


def centred_gaussian(height: int, width: int) -> Tensor:
    """(H, W): exp(-d^2 / 2) with d in quarters of the height and width from the centre."""
    y = (torch.arange(height) + 0.5 - height / 2) / (height / 4)
    x = (torch.arange(width) + 0.5 - width / 2) / (width / 4)
    return torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / 2)


CONTROLS: dict[str, Callable[[int, int], Tensor]] = {
    GAUSSIAN: centred_gaussian,
    EVERYTHING: torch.ones,
}


@dataclass(frozen=True, eq=False)
class ControlMaps(SplitMaps):
    """A control's maps: one pattern for every image. ``classify``: the network for metrics that ask one."""

    pattern: Callable[[int, int], Tensor]
    classify: Classify | None

    def metric_input(self, places: list[int], batch: Batch) -> MetricInput:
        del places
        images, classes = batch.labels.nonzero(as_tuple=True)
        pattern = self.pattern(*batch.images.shape[-2:]).to(batch.images.device)
        maps = pattern.expand(len(images), *pattern.shape)
        return MetricInput(batch, maps, images, classes, None, self.classify)


def control_maps(name: str, split: Prepared, classify: Classify | None) -> ControlMaps:
    """The maps of a control over a split."""
    return ControlMaps(name, {"control": name}, split, CONTROLS[name], classify)
