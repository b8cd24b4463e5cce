"""Maps that look at nothing: what every number must be held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from camforge.config.schema import EVERYTHING, GAUSSIAN
from camforge.data.prepared import Prepared
from camforge.interfaces import ExplainedModel, MetricInput
from camforge.measuring.explained import Explained, Networks
from camforge.pipeline.fuse import SplitMaps
from camforge.types import Batch


def centred_gaussian(height: int, width: int) -> Tensor:
    """(H, W): exp(-d^2 / 2) with d in quarters of the height and width from the centre."""
    y = (torch.arange(height) + 0.5 - height / 2) / (height / 4)
    x = (torch.arange(width) + 0.5 - width / 2) / (width / 4)
    return torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / 2)


def all_but_a_corner(height: int, width: int) -> Tensor:
    """(H, W): ones, and zero at the last pixel, since a constant map stretched to 0..1 would be nothing at all."""
    pattern = torch.ones(height, width)
    pattern[-1, -1] = 0
    return pattern


Pattern = Callable[[int, int], Tensor]
CONTROLS: dict[str, Pattern] = {
    GAUSSIAN: centred_gaussian,
    EVERYTHING: all_but_a_corner,
}


@dataclass(frozen=True, eq=False)
class ControlMaps(SplitMaps):
    """A control's maps: one pattern for every image. ``model``: whose networks metrics ask that need some."""

    pattern: Pattern
    model: ExplainedModel | None

    def metric_input(self, places: list[int], batch: Batch) -> MetricInput:
        images, classes = batch.labels.nonzero(as_tuple=True)
        maps = self.pattern(*batch.images.shape[-2:]).to(batch.images.device).repeat(len(images), 1, 1)
        return MetricInput(batch, maps, images, classes, None, self.model, self.without_part(places, batch))


def control_maps(name: str, split: Prepared, model: Explained | None, network: str) -> ControlMaps:
    """The maps of a control over a split. ``network``: what determines the model, its key in the store."""
    pattern = CONTROLS[name]
    blind = None if model is None else replace(model, explain=partial(_patterns, pattern))
    return ControlMaps(name, {"control": name, "network": network}, split, pattern, blind)


def _patterns(pattern: Pattern, _networks: Networks, images: Tensor, _targets: Tensor, _labels: Tensor) -> Tensor:
    return pattern(*images.shape[-2:]).to(images.device).repeat(len(images), 1, 1)
