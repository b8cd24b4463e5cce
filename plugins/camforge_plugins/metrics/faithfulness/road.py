"""Remove pixels so that their absence does not show, and debias."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import conv2d

from camforge.api import MetricInput
from camforge_plugins.metrics.common.draws import normal, pair_seeds
from camforge_plugins.metrics.common.pair_metric import Fractions, ModelMetric, photographs, ranks

NEIGHBOURS = ((1 / 12, 1 / 6, 1 / 12), (1 / 6, 0.0, 1 / 6), (1 / 12, 1 / 6, 1 / 12))
"""The weights of a pixel's eight neighbours (Rong et al. 2022, sec. 4.2)."""


class ROAD(ModelMetric):
    """Remove and debias, in percent (-50..50, higher is better) (Rong et al., ICML 2022).

    A share of the pixels is removed, the most relevant first (MoRF) or the least relevant first (LeRF); every removed
    pixel becomes the weighted mean of its neighbours, all of them at once, and a little noise. "road" is half the
    difference of the class's probability, LeRF - MoRF, mean over the ``shares``.
    """

    name = "road"
    version = "2"
    family = "faithfulness"
    bounds = (-50, 50)
    shares: Fractions = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    """Shares of the pixels that are removed, the most and the least relevant."""
    noise: Annotated[float, Field(ge=0)] = 0.01
    """Deviation of the noise, drawn for each image from its name."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        order, pixels = ranks(pairs.maps), pairs.maps[0].numel()
        counts = (torch.tensor(self.shares * 2, device=order.device, dtype=torch.float64) * pixels).round()
        seeds, least = pair_seeds(pairs, by_class=False), len(self.shares)

        def removed(pair: Tensor, step: Tensor) -> Tensor:
            place, count = order[pair], counts[step][:, None, None]
            gone = torch.where((step < least)[:, None, None], place >= pixels - count, place < count)
            images = photographs(pairs, pair)
            noise = self.noise * normal(seeds[pair], images.shape[1:]).to(images)
            return torch.where(gone[:, None], imputed(images, gone) + noise, images)

        kept, lost = self.changed(pairs, 2 * least, removed).chunk(2, dim=1)
        return 100 * (kept - lost).mean(1) / 2


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
    for count in range(1, steps + 1):
        moved = system(direction)
        step = (energy / _dot(direction, moved).clamp(min=1e-30)).where(energy > limit, 0)  # what is solved stays
        x, residual = x + step * direction, residual - step * moved
        before, energy = energy, _dot(residual, residual)
        if count % 8 == 0 and bool((energy <= limit).all()):  # to look is to wait for the device
            break
        direction = residual + energy / before.clamp(min=1e-30) * direction
    return torch.where(removed[:, None], x, images)


def _around(x: Tensor) -> Tensor:
    """The weighted sum of the eight neighbours, of which there are fewer at the border."""
    kernel = x.new_tensor(NEIGHBOURS).expand(x.shape[1], 1, 3, 3)
    return conv2d(x, kernel, padding=1, groups=x.shape[1])


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((2, 3), keepdim=True)
