"""One network."""

from __future__ import annotations

from torch import Tensor

from camforge.api import Learner, Network, Trainer

from .classification import Loss, accuracy, classification_loss


class SingleLearner(Learner):
    """One network under one classification loss."""

    def __init__(self, network: Network, loss: Loss) -> None:
        super().__init__([network])
        self.loss: Loss = loss

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        logits = self.networks[0](images)
        return {
            "loss": classification_loss(logits, targets, self.loss),
            "accuracy": accuracy(logits, targets, self.loss),
        }


class Single(Trainer):
    """One network, trained with binary cross entropy on multi-labels or with softmax cross entropy."""

    name = "single"
    loss: Loss = "bce"
    """"bce": every output on its own; "softmax": the outputs compete, for images with one label."""

    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        return SingleLearner(self.backbone.build(outputs, pretrained), self.loss)
