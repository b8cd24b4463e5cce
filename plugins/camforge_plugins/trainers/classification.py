"""The two classification losses and the accuracy that goes with each."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

Loss = Literal["bce", "softmax"]


def classification_loss(logits: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """(B, K) logits and (B, K) targets in {0, 1} -> a scalar, the mean over images (and over outputs for "bce").

    "bce"      binary cross entropy of every output
    "softmax"  cross entropy; an image that shows several outputs shares its target equally among them
    """
    targets = targets.to(torch.promote_types(logits.dtype, targets.dtype))  # torch would give a float32 loss
    if loss == "bce":
        return binary_cross_entropy_with_logits(logits, targets)
    return cross_entropy(logits, targets / targets.sum(1, keepdim=True).clamp(min=1))


def accuracy(logits: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """(B, K) logits and targets -> a scalar in [0, 1].

    "bce"      the share of (image, output) decisions at logit 0 that are right
    "softmax"  the share of images whose strongest output is shown
    """
    if loss == "bce":
        return ((logits > 0) == (targets > 0)).float().mean().detach()
    strongest = logits.argmax(1, keepdim=True)
    return (targets.gather(1, strongest) > 0).float().mean().detach()


def wide(values: Tensor) -> Tensor:
    """At least float32: a sum of many bfloat16 products would lose its digits."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
