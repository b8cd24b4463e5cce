"""One network that sees images with a piece of another in them."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.distributions import Beta

from camforge.api import Learner, Network

from .classification import Loss, accuracy, classification_loss
from .single import Single, SingleLearner


class CutMixLearner(SingleLearner):
    """One network; its loss is that of both images, by their shares of the pixels."""

    def __init__(self, network: Network, loss: Loss, options: CutMix) -> None:
        super().__init__(network, loss)
        self.options = options

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        if float(torch.rand(())) >= self.options.probability:
            return super().losses(images, targets)
        others = torch.randperm(len(images), device=images.device)
        mixed, share = pasted(images, images[others], self.options.alpha)
        logits = self.networks[0](mixed)
        own, other = (classification_loss(logits, wanted, self.loss) for wanted in (targets, targets[others]))
        return {"loss": share * own + (1 - share) * other, "accuracy": accuracy(logits, targets, self.loss)}


class CutMix(Single):
    """CutMix: a box of each training image is another's, and both labels count by their pixels (Yun et al., ICCV 2019).

    The logged accuracy is that of the image around the box.
    """

    name = "cutmix"
    alpha: Annotated[float, Field(gt=0)] = 1.0
    """Of the Beta(alpha, alpha) that the share of the own pixels is drawn from, one draw and one box per batch."""
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of a batch to be mixed."""

    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        return CutMixLearner(self.backbone.build(outputs, pretrained), self.loss, self)


def pasted(images: Tensor, others: Tensor, alpha: float) -> tuple[Tensor, float]:
    """Images (B, 3, H, W) with a box of the others, and the share of their own pixels.

    The box has sides in the image's proportion and its middle anywhere; the border may cut it, and the share follows.
    """
    height, width = images.shape[-2:]
    side = math.sqrt(1 - float(Beta(alpha, alpha).sample()))
    (top, bottom), (left, right) = _span(height, side), _span(width, side)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = others[..., top:bottom, left:right]
    return mixed, 1 - (bottom - top) * (right - left) / (height * width)


def _span(length: int, side: float) -> tuple[int, int]:
    """Begin and end of ``side`` times the length around a place anywhere."""
    middle, size = int(torch.randint(length, ())), int(length * side)
    return max(middle - size // 2, 0), min(middle + size // 2, length)
