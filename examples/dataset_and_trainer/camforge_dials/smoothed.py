"""A trainer."""

from typing import Annotated

from pydantic import Field
from torch.nn.functional import binary_cross_entropy_with_logits

from camforge.api import Learner, Trainer


class SmoothedLearner(Learner):
    """Binary cross entropy towards targets that are not quite 0 and 1."""

    def __init__(self, network, smoothing):
        super().__init__([network])
        self.smoothing = smoothing

    def losses(self, images, targets):
        soft = targets * (1 - self.smoothing) + self.smoothing / 2
        return {"loss": binary_cross_entropy_with_logits(self.networks[0](images), soft)}


class Smoothed(Trainer):
    """One network under binary cross entropy with label smoothing (Szegedy et al. 2016, sec. 7), for two outcomes."""

    name = "smoothed"
    api = "2.0"

    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Targets are smoothing / 2 and 1 - smoothing / 2."""

    def learner(self, outputs, pretrained=True):
        return SmoothedLearner(self.backbone.build(outputs, pretrained), self.smoothing)
