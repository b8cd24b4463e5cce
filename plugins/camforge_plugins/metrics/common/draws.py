"""Random numbers that hang on an image and a place alone: the same in every batch and on every device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from zlib import crc32

import torch
from torch import Tensor

from camforge.api import MetricInput

_GOLDEN, _FIRST, _SECOND = (value - 2**64 for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def pair_seeds(pairs: MetricInput, by_class: bool = True) -> Tensor:
    """(P,) int64: one of each pair, from its image's name and, where that is asked for, its class."""
    names = torch.tensor([crc32(name.encode()) for name in pairs.batch.ids], device=pairs.maps.device)
    return names[pairs.images] * 2**20 + (pairs.classes if by_class else 0)


def of_draw(seeds: Tensor, number: int | Tensor) -> Tensor:
    """(N,) int64 seeds of the ``number``-th draw, or of the draw (N,) int64 that is each one's."""
    return seeds + 1_000_003 * number


def uniform(seeds: Tensor, shape: Sequence[int]) -> Tensor:
    """(N,) int64 seeds -> (N, *shape) float64 in [0, 1): the outputs of SplitMix64 (Steele et al. 2014)."""
    place = torch.arange(1, 1 + math.prod(shape), device=seeds.device)
    mixed = _mixed(_mixed(seeds)[:, None] + place * _GOLDEN)
    return (_shifted(mixed, 11).double() / 2**53).view(len(seeds), *shape)


def normal(seeds: Tensor, shape: Sequence[int]) -> Tensor:
    """(N,) int64 seeds -> (N, *shape) float64 of the standard normal distribution (Box and Muller 1958)."""
    radius, angle = uniform(seeds, (2, *shape)).unbind(1)
    return (-2 * (1 - radius).log()).sqrt() * (2 * math.pi * angle).cos()


def subsets(seeds: Tensor, size: int, of: int) -> Tensor:
    """(N,) int64 seeds -> (N, of) bool: ``size`` of them, drawn without replacement."""
    chosen = uniform(seeds, (of,)).topk(size, dim=1).indices
    return torch.zeros(len(seeds), of, dtype=torch.bool, device=seeds.device).scatter_(1, chosen, True)


def _mixed(x: Tensor) -> Tensor:
    """SplitMix64's finaliser; 64-bit products go round as in C."""
    x = (x ^ _shifted(x, 30)) * _FIRST
    x = (x ^ _shifted(x, 27)) * _SECOND
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, by: int) -> Tensor:
    """To the right, zeros from the left."""
    kept: Tensor = (x >> by) & (2 ** (64 - by) - 1)
    return kept
