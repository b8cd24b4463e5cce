"""Remove pixels so that their absence does not show, and debias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from zlib import crc32

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import conv2d

from camforge.api import MetricInput
from camforge_plugins.metrics.common.faithful import FaithfulnessMetric, Fractions, ranks
from camforge_plugins.metrics.common.pairs import class_mean

NEIGHBOURS = ((1 / 12, 1 / 6, 1 / 12), (1 / 6, 0.0, 1 / 6), (1 / 12, 1 / 6, 1 / 12))
"""The weights of a pixel's eight neighbours (Rong et al. 2022, sec. 4.2)."""


class ROAD(FaithfulnessMetric):
    """Remove and debias, in percent (-50..50, higher is better) (Rong et al., ICML 2022).

    A share of the pixels is removed, the most relevant first (MoRF) or the least relevant first (LeRF); every removed
    pixel becomes the weighted mean of its neighbours, all of them at once, and a little noise. "road" is half the
    difference of the class's probability, LeRF - MoRF, mean over the ``shares``.
    """

    name = "road"
    shares: Fractions = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    noise: Annotated[float, Field(ge=0)] = 0.01
    """Deviation of the noise, drawn for each image from its name."""

    @property
    def numbers(self) -> int:
        return 1

    def pair_numbers(self, pairs: MetricInput, pair: int) -> Tensor:
        place = int(pairs.images[pair])
        image, label = pairs.batch.images[place], int(pairs.classes[pair])
        order = ranks(pairs.maps[pair])
        counts = torch.tensor(self.shares, device=image.device) * order.numel()
        most = order < counts.round()[:, None, None]
        least = order >= order.numel() - counts.round()[:, None, None]
        removed = torch.cat([least, most])
        generator = torch.Generator().manual_seed(crc32(pairs.batch.ids[place].encode()))
        noise = self.noise * torch.randn(image.shape, generator=generator).to(image)
        filled = torch.where(removed[:, None], imputed(image.expand(len(removed), -1, -1, -1), removed) + noise, image)
        kept, lost = self.probabilities(pairs, filled, label).chunk(2)
        return 100 * (kept - lost).mean()[None] / 2

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        count = total[:, 0]
        return class_mean(self.name, total[:, 1] / count.clamp(min=1), count > 0, classes)


def imputed(images: Tensor, removed: Tensor, tolerance: float = 1e-4, steps: int = 2000) -> Tensor:
    """images (N, C, H, W), removed (N, H, W) bool -> removed pixels as the weighted mean of their neighbours.

    A linear system with one equation per removed pixel; at the border only the neighbours that exist count. Written as
    D x - W x = b it is symmetric and positive definite where any pixel is left, so conjugate gradients solve it.
    """
    unknown = removed[:, None].to(images)
    weight = _around(torch.ones_like(images[:1, :1]))

    def system(x: Tensor) -> Tensor:
        return (weight * x - _around(x)) * unknown

    x = torch.zeros_like(images)
    residual = _around(images * (1 - unknown)) * unknown
    direction, energy = residual.clone(), _dot(residual, residual)
    limit = tolerance**2 * energy.clamp(min=1e-20)
    for _ in range(steps):
        moved = system(direction)
        step = energy / _dot(direction, moved).clamp(min=1e-30)
        x, residual = x + step * direction, residual - step * moved
        before, energy = energy, _dot(residual, residual)
        if bool((energy <= limit).all()):
            break
        direction = residual + energy / before.clamp(min=1e-30) * direction
    return torch.where(removed[:, None], x, images)


def _around(x: Tensor) -> Tensor:
    """The weighted sum of the eight neighbours, of which there are fewer at the border."""
    kernel = x.new_tensor(NEIGHBOURS).expand(x.shape[1], 1, 3, 3)
    return conv2d(x, kernel, padding=1, groups=x.shape[1])


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((2, 3), keepdim=True)
