"""One network that sees images with patches hidden."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Learner, Network

from .classification import Loss
from .single import Single, SingleLearner


class HaSLearner(SingleLearner):
    """One network under one classification loss, patches hidden anew in every batch."""

    def __init__(self, network: Network, loss: Loss, options: HaS) -> None:
        super().__init__(network, loss)
        self.options = options

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return super().losses(hidden(images, self.options.patches, self.options.probability), targets)


class HaS(Single):
    """Hide-and-Seek: random patches of the training images take the mean colour (Singh and Lee, ICCV 2017).

    Each image has a grid of one of the sizes, drawn anew, and hides each of its patches with the probability. At test
    time the image is whole.
    """

    name = "has"
    version = "2"
    patches: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 16, 32, 44, 56)
    """Sides of the patches in pixels, at 224; 0 hides nothing. This is HaS-Mixed, (32,) HaS-32."""
    probability: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Of a patch to be hidden."""

    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        return HaSLearner(self.backbone.build(outputs, pretrained), self.loss, self)


def hidden(images: Tensor, patches: tuple[int, ...], probability: float) -> Tensor:
    """(B, 3, H, W) normalised -> the same with patches at 0, the mean colour."""
    batch, _, height, width = images.shape
    masks = torch.stack([_mask(batch, height, width, side, probability, images.device) for side in patches])
    chosen = torch.randint(len(patches), (batch,), device=images.device)
    return images * masks[chosen, torch.arange(batch, device=images.device)][:, None]


def _mask(batch: int, height: int, width: int, side: int, probability: float, device: torch.device) -> Tensor:
    """(B, H, W) bool: what stays, in patches; those at the right and lower border may be cut off."""
    if side == 0:
        return torch.ones(batch, height, width, dtype=torch.bool, device=device)
    stays = torch.rand(batch, -(-height // side), -(-width // side), device=device) >= probability
    return stays.repeat_interleave(side, 1).repeat_interleave(side, 2)[:, :height, :width]
