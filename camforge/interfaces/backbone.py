"""Backbones: networks with named stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from camforge.interfaces.base import Plugin
from camforge.types import Network


class Backbone(Plugin, ABC):
    """A backbone builds a classifier of K outputs and names its stages.

    class OneConv(Backbone):
        \"""A single convolution, pooled.\"""
        name = "one_conv"

        def build(self, outputs, pretrained=True):
            pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), pool, nn.Linear(8, outputs))
            return Network(body, stages=("1",), head="3")
    """

    kind: ClassVar[str] = "backbone"

    @abstractmethod
    def build(self, outputs: int, pretrained: bool = True) -> Network:
        """A network (B, 3, H, W) -> (B, outputs). ``pretrained=False`` skips the weights: a checkpoint follows."""

    def trained_outputs(self) -> int | None:
        """With how many outputs ``build`` gives a network that is trained throughout, head and all; None: with none.

        Raises CamForgeError where the weights cannot be read. Heat maps of untrained parts would mean nothing.
        """
        return None
