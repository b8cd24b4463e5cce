"""Maps as probabilities in a fully connected random field."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from camforge.api import Fuser, Maps, max_normalise, resize

from .label import counted
from .photographs import photographs_of

AT_ONCE = 512 << 20  # bytes of the images' pairwise weights
LEAST = 1e-5  # what an image's classes and its background have everywhere before they are divided by their sum

Weight = Annotated[float, Field(ge=0)]
Width = Annotated[float, Field(gt=0)]


class DenseCRF(Fuser):
    """Each pixel's probability of each class of its image's label, in a fully connected conditional random field.

    Mean field of Krähenbühl & Koltun (NIPS 2011) between an image's maps over their maxima, m_c, and the background
    (1 - max_c m_c)^background (Ahn & Kwak, CVPR 2018, sec. 3.2). A pixel is pulled to the classes of all others, by
    ``weight`` times exp(-d^2 / 2 position^2 - c^2 / 2 colour^2) and ``near_weight`` times exp(-d^2 / 2 near^2), d their
    distance and c that of their colours, each divided by the square roots of both pixels' sums. The authors
    approximate these sums on a lattice; here they are exact, between squares of ``cell`` pixels, and what a square is
    told reaches its pixels bilinearly. It reduces no axis: it stands last, where maps of all classes are shared.
    """

    name = "dense_crf"
    axis: None = None
    background: Width = 2.0
    """The larger, the less is background."""
    steps: Annotated[int, Field(ge=1)] = 3
    """Of the mean field."""
    weight: Weight = 4.0
    """Of pixels that are alike."""
    position: Width = 80.0
    """Distance at which alike pixels lose their weight, in pixels."""
    colour: Width = 0.226
    """Difference of colours at which pixels are no longer alike, in standard deviations of the images: 13 of 255."""
    near_weight: Weight = 3.0
    """Of pixels side by side, whatever their colours."""
    near: Width = 3.0
    """How far these reach, in pixels."""
    cell: Annotated[int, Field(ge=1)] = 4
    """Side of the squares that pull one another, in pixels. Memory grows with the fourth power of the image's side over
    this one: 40 MB for an image of 224 pixels."""

    def fuse(self, values: Tensor, maps: Maps) -> Tensor:
        photographs, count = photographs_of(maps, self.name).to(values.dtype), len(maps.labels)
        scaled = max_normalise(torch.where(counted(values, maps), values, 0))
        scaled = scaled.flatten(1, -3) if scaled.dim() > 3 else scaled[:, None]
        own = maps.images[:, None] == torch.arange(count, device=values.device)
        place = own.cumsum(0).gather(1, maps.images[:, None])[:, 0] - 1  # among its image's pairs
        stacks = scaled.new_zeros(count, max(1, int(own.sum(0).amax())), *scaled.shape[1:])
        stacks[maps.images, place] = scaled
        size = max(1, AT_ONCE // (3 * scaled.element_size() * prod(self._cells(values.shape[-2:])) ** 2))
        parts = zip(stacks.split(size), photographs.split(size), strict=True)
        found = torch.cat([self._probabilities(some, images) for some, images in parts])[maps.images, place]
        return torch.where(scaled.amax((-2, -1), keepdim=True) > 0, found, 0).reshape(values.shape)

    def _probabilities(self, scaled: Tensor, photographs: Tensor) -> Tensor:
        """(B, L, R, H, W) maps in [0, 1], all zero where there is none, R beside one another -> their probabilities."""
        background = (1 - scaled.amax(1, keepdim=True)).pow(self.background)
        there = scaled.amax((-2, -1), keepdim=True) > 0
        strength = torch.cat([background + LEAST, torch.where(there, scaled + LEAST, 0)], 1)
        unary = (strength / strength.sum(1, keepdim=True)).log()
        cells = self._cells(unary.shape[-2:])
        coarse = adaptive_avg_pool2d(unary.flatten(1, 2), cells).view(*unary.shape[:3], -1)
        pairwise, told = self._pairwise(photographs, cells), torch.zeros_like(coarse)
        for _ in range(self.steps):
            told = ((coarse + told).softmax(1).flatten(1, 2) @ pairwise).view_as(coarse)
        return (unary + resize(told.view(*told.shape[:3], *cells), unary.shape[-2:])).softmax(1)[:, 1:]

    def _pairwise(self, photographs: Tensor, cells: tuple[int, int]) -> Tensor:
        """(B, 3, H, W) -> (B, N, N): how much each of the N cells pulls each."""
        steps = [side / n for side, n in zip(photographs.shape[-2:], cells, strict=True)]
        across = [step * torch.arange(n).to(photographs) for step, n in zip(steps, cells, strict=True)]
        points = torch.cartesian_prod(*across).view(-1, 2)
        distance = torch.cdist(points, points).square()
        colours = adaptive_avg_pool2d(photographs, cells).flatten(2).mT / self.colour
        alike = torch.cdist(colours, colours).square_().add_(distance / self.position**2).mul_(-0.5).exp_()
        near = (distance / (-2 * self.near**2)).exp_()
        return _balanced(alike).mul_(self.weight).add_(_balanced(near), alpha=self.near_weight)

    def _cells(self, sides: Sequence[int]) -> tuple[int, int]:
        """How many cells lie down and across."""
        height, width = (-(-side // self.cell) for side in sides)
        return height, width


def _balanced(kernel: Tensor) -> Tensor:
    """(…, N, N) divided by the square roots of both pixels' sums, in place."""
    scale = kernel.sum(-1).rsqrt()
    return kernel.mul_(scale[..., None]).mul_(scale[..., None, :])
