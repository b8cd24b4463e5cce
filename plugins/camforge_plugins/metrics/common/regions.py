"""Where the objects of a pair's class are: by mask or by box."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from camforge.api import CamForgeError, MetricInput
from camforge_plugins.metrics.common.boxes import pair_boxes
from camforge_plugins.metrics.common.pairs import truth_masks

Truth = Literal["mask", "box"]


def true_regions(pairs: MetricInput, truth: Truth, metric: str) -> Tensor:
    """(P, H, W) bool: pixels of the pair's class; by box, pixels whose centre lies in one of the class's boxes."""
    if truth == "mask":
        return truth_masks(pairs, metric)[pairs.images] == (1 + pairs.classes)[:, None, None]
    boxes, owner = pair_boxes(pairs)
    height, width = pairs.maps.shape[1:]
    x0, y0, x1, y1 = boxes[:, :, None].unbind(1)
    x, y = (torch.arange(side, device=boxes.device) + 0.5 for side in (width, height))
    inside = ((y >= y0) & (y < y1))[:, :, None] & ((x >= x0) & (x < x1))[:, None]
    covered = torch.zeros(pairs.maps.shape, dtype=torch.int32, device=boxes.device)
    return covered.index_add_(0, owner, inside.int()) > 0


def need_regions(shown: Tensor, truth: Truth, metric: str) -> None:
    """CamForgeError where no map's class is shown anywhere: the data set has no such truth."""
    if not shown.any():
        raise CamForgeError(
            f"metric {metric!r} needs a {truth} of a labelled class, and no image that it was given has one"
        )
