"""Regions of one colour: what IROF removes of a photograph at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

ROUNDS = 8


def superpixels(images: Tensor, count: int, compactness: float = 0.5) -> Tensor:
    """(N, 3, H, W) -> (N, H, W) int64: about ``count`` regions of each, k-means of colour and place.

    SLIC's distance (Achanta et al., TPAMI 2012, eq. 3): sqrt(d_colour^2 + compactness^2 * (d_place / S)^2), with S the
    distance of the starting centres, which lie on an even grid. Colours are the network's normalised ones; every pixel
    is held against every centre, and parts of a region need not touch. A region without a pixel keeps its number.
    """
    side = math.sqrt(images[0, 0].numel() / count)
    points = _points(images, compactness / side)
    height, width = images.shape[2:]
    rows, columns = (_centres(length, max(1, round(length / side))).to(images.device) for length in (height, width))
    centres = points.view(len(images), height, width, -1)[:, rows[:, None], columns].flatten(1, 2)
    for _ in range(ROUNDS):
        owner = torch.cdist(points, centres).argmin(2)
        weight = torch.zeros(centres.shape[:2], device=images.device, dtype=points.dtype)
        weight.scatter_add_(1, owner, torch.ones_like(owner, dtype=points.dtype))
        sums = torch.zeros_like(centres).scatter_add_(1, owner[..., None].expand_as(points), points)
        centres = torch.where(weight[..., None] > 0, sums / weight.clamp(min=1)[..., None], centres)
    return torch.cdist(points, centres).argmin(2).view(len(images), height, width)


def _points(images: Tensor, scale: float) -> Tensor:
    """(N, H * W, 5) float64: colours, and places times ``scale``."""
    height, width = images.shape[2:]
    places = torch.meshgrid(*(torch.arange(n, device=images.device) for n in (height, width)), indexing="ij")
    spots = scale * torch.stack(places).double().expand(len(images), -1, -1, -1)
    return torch.cat([images.double(), spots], 1).flatten(2).transpose(1, 2)


def _centres(length: int, count: int) -> Tensor:
    return ((torch.arange(count) + 0.5) * length / count).long()
