"""Test-time augmentation: the images at several scales and mirrored, and their maps brought back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from camforge.maps import LINEAR


def scaled(inputs: tuple[Any, ...], scale: float) -> tuple[Any, ...]:
    """The images (B, 3, H, W) at another size, bilinear; other inputs as they are."""
    images = inputs[0]
    size = [max(1, round(n * scale)) for n in images.shape[2:]]
    if size == list(images.shape[2:]):
        return inputs
    return (interpolate(images, size=size, mode=LINEAR[len(size)], align_corners=False), *inputs[1:])


def with_mirrored(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """(B, …) -> (2B, …): the images, then the same mirrored left to right; other inputs twice."""
    images = inputs[0]
    twice = (torch.cat([x, x]) if isinstance(x, Tensor) and x.shape[:1] == images.shape[:1] else x for x in inputs[1:])
    return (torch.cat([images, images.flip(-1)]), *twice)


def brought_back(maps: Tensor) -> list[Tensor]:
    """(2P, h, w) maps of ``with_mirrored`` images -> two times (P, h, w), the mirrored ones mirrored back."""
    plain, mirrored = maps.chunk(2)
    return [plain, mirrored.flip(-1)]
