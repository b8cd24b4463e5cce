"""Trainers: from a view to networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from camforge.interfaces.backbone import Backbone
from camforge.interfaces.base import Plugin
from camforge.types import Network

Positive = Annotated[float, Field(gt=0)]


class Learner(nn.Module, ABC):
    """What is trained: one network per branch and the loss over them."""

    summed: frozenset[str] = frozenset()
    """Names of losses that are sums over the batch, not means: several processes must add them up."""

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    @abstractmethod
    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) float and (B, K) float in {0, 1} -> named scalars.

        Those whose name holds "loss" are summed and minimised; the others are logged.
        """


class Plateau(Plugin):
    """Scale the rate when the epoch loss fell less than ``threshold`` within ``patience`` epochs (001 sec. 4.1)."""

    name: ClassVar[str] = "plateau"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Annotated[int, Field(ge=0)] = 5
    threshold: Annotated[float, Field(ge=0)] = 1e-4


class Trainer(Plugin, ABC):
    """A trainer says what is learned; the loop, checkpoints, schedule and logs are the host's.

    class Hinge(Trainer):
        \"""One network under a multi-label hinge loss.\"""
        name = "hinge"

        def learner(self, outputs, pretrained=True):
            return HingeLearner([self.backbone.build(outputs, pretrained)])
    """

    kind: ClassVar[str] = "trainer"

    backbone: Backbone
    epochs: Annotated[int, Field(ge=1)] = 100
    batch_size: Annotated[int, Field(ge=1)] = 20
    lr: Positive = 1e-4
    head_lr: Positive | None = None
    """Learning rate of the last linear layer; None: the same as ``lr``."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["plateau", "onecycle", "poly", "constant"] = "plateau"
    plateau: Plateau = Plateau()
    flip: bool = False
    """Mirror half of the training images."""
    stop_at_accuracy: Annotated[float, Field(gt=0, le=1)] | None = None
    """End training after the epoch in which the logged "accuracy" reaches this."""
    channels_last: bool = True
    amp: bool = False
    """bfloat16 autocast on CPU and GPU."""

    @abstractmethod
    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        """The untrained learner for a view with this many outputs."""
