"""Two classes told apart."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from camforge.api import CamForgeError, Learner, Trainer

from .single import SingleLearner


class BinaryPair(Trainer):
    """A two-way softmax network for one pair of classes ("Representative Class Selection", sec. 4.2).

    Training ends after the epoch in which the training accuracy is larger than 0.95, at the latest after ten epochs.
    """

    name = "binary_pair"
    epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 24
    stop_at_accuracy: Annotated[float, Field(gt=0, lt=1)] | None = 0.95

    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        if outputs != 2:
            raise CamForgeError(
                f"trainer 'binary_pair' tells 2 classes apart, this view has {outputs} outputs; "
                "a grouper that trains a network of its own takes one from its option 'trainer'"
            )
        return SingleLearner(self.backbone.build(outputs, pretrained), "softmax")
