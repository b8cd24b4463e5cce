"""Seeds in training: what learners of seeds get in the place of labels, and how it follows the images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from camforge.data.geometry import random_crop
from camforge.maps import resize
from camforge.types import Network


@dataclass(frozen=True, eq=False)
class FoundSeeds:
    """The networks that found them; places (B,) in the training split -> seeds (B, K, h, w) in [0, 1].

    Objects that are annotated stand here too: no network found them, and K is 1.
    """

    networks: Sequence[Network]
    at: Callable[[Tensor], Tensor]


def cropped(images: Tensor, targets: Tensor, size: int, of: int, mine: slice) -> tuple[Tensor, Tensor]:
    """One random square of each image, and the same of its seeds (B, K, h, w); labels (B, K) as they are."""
    if targets.dim() == 2:
        return random_crop(images, size, of, mine), targets
    seeds = (resize(targets, images.shape[-2:]) * 255).round().to(torch.uint8)
    both = random_crop(torch.cat([images, seeds], 1), size, of, mine)
    return both[:, :3], both[:, 3:].float() / 255


def mirrored(values: Tensor, which: Tensor) -> Tensor:
    """Images or seeds (B, C, H, W), those chosen (B,) bool left to right; labels (B, K) as they are."""
    return torch.where(which[:, None, None, None], values.flip(-1), values) if values.dim() == 4 else values
