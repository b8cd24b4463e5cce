"""Two classes told apart."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy

from camforge.api import CamForgeError, Learner, Network, Trainer

from .classification import accuracy
from .single import SingleLearner


class BalancedLearner(Learner):
    """One softmax network; a batch's classes count the same, whatever the number of their images."""

    def __init__(self, network: Network) -> None:
        super().__init__([network])

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        logits = self.networks[0](images)
        return {"loss": balanced_loss(logits, targets), "accuracy": accuracy(logits, targets, "softmax")}


def balanced_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """(B, K) logits, one-hot (B, K) targets -> a scalar: the mean over shown classes of their mean cross entropy."""
    counts = targets.sum(0)
    weights = (targets / counts.clamp(min=1)).sum(1)
    losses = cross_entropy(logits, targets.to(logits.dtype), reduction="none")
    return (losses * weights).sum() / (counts > 0).sum()


class BinaryPair(Trainer):
    """A two-way softmax network for one pair of classes ("Representative Class Selection", sec. 4.2).

    Training ends after the epoch in which the training accuracy is larger than 0.95, at the latest after ten epochs.
    """

    name = "binary_pair"
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 24
    stop_at_accuracy: Annotated[float, Field(gt=0, lt=1)] | None = 0.95
    """Training ends where this share of the training images is right; null: never before the last epoch."""
    balanced: bool = False
    """Let both classes count the same in every batch's loss, whatever the number of their images. Not in the paper."""

    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        if outputs != 2:
            raise CamForgeError(
                f"trainer 'binary_pair' tells 2 classes apart, this view has {outputs} outputs; "
                "a grouper that trains a network of its own takes one from its option 'trainer'"
            )
        network = self.backbone.build(outputs, pretrained)
        return BalancedLearner(network) if self.balanced else SingleLearner(network, "softmax")
