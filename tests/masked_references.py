"""Slow transcriptions of extractors that hide parts of images, and of ODAM: loops over masks, squares and cells."""

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import correlate1d
from torch import Tensor

from camforge.api import Extractor
from camforge.testing import ReferencePair

Reference = Callable[[Extractor, ReferencePair], list[Tensor]]


def score_of(plugin, pair: ReferencePair, image: Tensor) -> float:
    row = pair.network(image[None])[0].detach()
    return float(pair.score(row.softmax(0) if plugin.output == "softmax" else row))


def rise(plugin, pair):
    """The masks are drawn as the extractor draws them; upsampled, shifted and summed one by one."""
    height, width = pair.image.shape[1:]
    source = torch.Generator().manual_seed(plugin.seed)
    grids = (torch.rand(plugin.samples, plugin.cells, plugin.cells, generator=source) < plugin.share).double()
    cell = math.ceil(height / plugin.cells), math.ceil(width / plugin.cells)
    down, right = (torch.randint(0, c, (plugin.samples,), generator=source).tolist() for c in cell)
    total = torch.zeros(height, width, dtype=torch.float64)
    for grid, y, x in zip(grids.numpy(), down, right, strict=True):
        rows, columns = (interpolating(plugin.cells, (plugin.cells + 1) * c) for c in cell)
        large = rows @ grid @ columns.T
        mask = torch.from_numpy(large[y : y + height, x : x + width].copy())
        total += score_of(plugin, pair, pair.image * mask) * mask
    return [total / plugin.samples / plugin.share]


def interpolating(small: int, large: int) -> np.ndarray:
    """(large, small): the weights of linear interpolation between the centres of cells, the edge repeated."""
    weights = np.zeros((large, small))
    for place in range(large):
        centre = (place + 0.5) * small / large - 0.5
        first = math.floor(centre)
        for neighbour, share in ((first, first + 1 - centre), (first + 1, centre - first)):
            weights[place, min(max(neighbour, 0), small - 1)] += share
    return weights


def occlusion(plugin, pair):
    """Square by square."""
    height, width = pair.image.shape[1:]
    patch = plugin.patch or max(1, min(height, width) // 8)
    stride = plugin.stride or max(1, patch // 2)
    whole = score_of(plugin, pair, pair.image)
    lost, count = torch.zeros(height, width).double(), torch.zeros(height, width).double()
    tops, lefts = ([k * stride for k in range(math.ceil(max(n - patch, 0) / stride) + 1)] for n in (height, width))
    for top in tops:
        for left in lefts:
            hidden = pair.image.clone()
            hidden[:, top : top + patch, left : left + patch] = plugin.fill
            lost[top : top + patch, left : left + patch] += whole - score_of(plugin, pair, hidden)
            count[top : top + patch, left : left + patch] += 1
    return [lost / count]


def odam(plugin, pair):
    """Gradients smoothed by scipy, channel by channel."""
    maps = []
    reach = max(1, round(4 * plugin.sigma))
    kernel = np.exp(-((np.arange(-reach, reach + 1) / plugin.sigma) ** 2) / 2) if plugin.sigma else np.ones(1)
    for layer in pair.layers(plugin):
        a, g = pair.captured(layer)
        smooth = [smoothed(channel.numpy(), kernel / kernel.sum()) for channel in g]
        maps.append(sum(torch.from_numpy(w) * channel for w, channel in zip(smooth, a, strict=True)).clamp(min=0))
    return maps


def smoothed(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    for axis in range(values.ndim):
        values = correlate1d(values, kernel, axis=axis, mode="nearest")
    return values


MASKED_REFERENCES: dict[str, Reference] = {"drise": rise, "occlusion": occlusion, "odam": odam, "rise": rise}
