"""A network small enough to train in a test."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from camforge.api import Backbone, Network, SeedLearner


class TwoConvs(Backbone):
    """Two convolutions with ReLU, pooled."""

    name = "two_convs"
    constant: bool = False

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        del pretrained
        layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(inplace=True)]
        body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, outputs))
        if self.constant:
            for parameter in body.parameters():
                nn.init.constant_(parameter, 0.1)
        return Network(body, stages=("1", "3"), head="6")


@pytest.fixture
def two_convs() -> Backbone:
    return TwoConvs()


@pytest.fixture
def constant_backbone() -> Backbone:
    return TwoConvs(constant=True)


@pytest.fixture
def learned_in_a_step() -> Callable[[SeedLearner], set[str]]:
    """What of a learner's state is another after one step on seeds of its first output."""

    def step(learner: SeedLearner) -> set[str]:
        before = {name: value.clone() for name, value in learner.train().state_dict().items()}
        seeds = torch.zeros(4, 2, 8, 8)
        seeds[:, 0, :4] = 1
        optimizer = torch.optim.SGD(learner.parameters(), 0.1)
        sum(learner.losses(torch.randn(4, 3, 32, 32), seeds).values()).backward()  # type: ignore[union-attr]
        optimizer.step()
        return {name for name, value in learner.state_dict().items() if not torch.equal(value, before[name])}

    return step
