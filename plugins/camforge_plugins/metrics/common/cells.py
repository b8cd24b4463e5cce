"""Maps as few words: which cells of a coarse grid are highest. What metrics over all pairs of a set count."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from camforge.api import CamForgeError, MetricInput


def highest_cells(maps: Tensor, grid: int, count: int) -> Tensor:
    """(P, H, W) -> (P, count) int64: the cells of a grid x grid pooling with the highest means, the highest first."""
    pooled = adaptive_avg_pool2d(maps[:, None].double(), grid).flatten(1)
    return pooled.argsort(dim=1, descending=True, stable=True)[:, :count]


def predicted_classes(pairs: MetricInput, metric: str) -> Tensor:
    """(P,) int64: the highest logit of each pair's image. Raises CamForgeError where no network knows all classes."""
    model, images = pairs.model, pairs.batch.images
    if model is None:
        raise CamForgeError(f"metric {metric!r} asks the network of all classes, and the arm has none")
    return pairs.shared("predicted classes", lambda: model.score(images).argmax(1))[pairs.images]


def counts(rows: Tensor, columns: Tensor, shape: tuple[int, int]) -> Tensor:
    """(N,) int64 twice -> shape int64: how often each (row, column) comes."""
    return torch.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).view(shape)
