"""How similar classes are, by the mistakes of a network."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Form = Literal["sum", "mean", "symmetric"]


def false_positives(probabilities: Tensor, owners: Tensor, form: Form = "sum") -> Tensor:
    """(M, n) softmax outputs and the class (M,) of each image -> B (n, n); row i is made of the images of class i.

    Raw sums are eq. 2 of "Representative Class Selection". The symmetric form starts from means, or classes with many
    images would outweigh the others.
    """
    total = probabilities.new_zeros(probabilities.shape[1], probabilities.shape[1])
    total.index_add_(0, owners, probabilities)
    if form == "sum":
        return total
    mean = total / owners.bincount(minlength=len(total)).clamp(min=1)[:, None]
    return mean if form == "mean" else (mean + mean.T) / 2


def stratified(labels: Tensor, usable: Tensor, share: float, seed: int) -> Tensor:
    """(N, C) labels, usable (N,) -> (N,) bool: the share of every class's usable images, 1 or more but never all."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for own in labels.T:
        images = (own & usable).nonzero().flatten()
        count = min(max(round(share * len(images)), 1), len(images) - 1)
        chosen[images[torch.randperm(len(images), generator=generator)[:count]]] = True
    return chosen


def unmeasurable(classes: tuple[str, ...], labels: Tensor, held_out: bool) -> list[str]:
    """The classes that have too few images with a single label to measure their similarity."""
    lone = labels[labels.sum(1) == 1].sum(0).tolist()
    needed, why = (2, "one to train on and one held out") if held_out else (1, "similarity is undefined")
    return [
        f"class {name!r} has {count or 'no'} image{'s' * (count != 1)} with a single label, {needed} needed: {why}"
        for name, count in zip(classes, lone, strict=True)
        if count < needed
    ]
