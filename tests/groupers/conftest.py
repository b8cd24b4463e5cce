"""A grouping context whose networks have the rows and the logits that a test gives them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from camforge.api import Network, TrainedModel, Trainer, View


class Desk:
    """``rows[K]``: the last linear layer's weight of a network with K outputs; ``logits`` (N, C) of every image."""

    def __init__(self, classes, rows=None, labels=None, logits=None, seed=0, taxonomy=None) -> None:
        self.classes, self.seed, self.taxonomy = tuple(classes), seed, taxonomy
        self.rows, self.labels, self._logits = rows or {}, labels, logits
        self.asked: list[tuple[View, Trainer | None, Tensor | None]] = []

    def train(self, view: View, trainer: Trainer | None = None, holdout: Tensor | None = None) -> TrainedModel:
        self.asked.append((view, trainer, holdout))
        weight = self.rows.get(len(view.outputs), torch.zeros(len(view.outputs), 1))
        head = nn.Linear(weight.shape[1], len(view.outputs))
        head.weight.data = weight.clone()
        return TrainedModel(view, (Network(nn.Sequential(nn.Flatten(), head), ("0",), "1"),))

    def logits(self, model: TrainedModel, images: Tensor) -> Tensor:
        del model
        return self._logits[images]


@pytest.fixture
def desk() -> Callable[..., Desk]:
    return Desk
