"""A network small enough to train in a test."""

import pytest
from torch import nn

from camforge.api import Backbone, Network


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
