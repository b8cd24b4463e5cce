"""Trainers: from a view to networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, JsonValue
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

from camforge.interfaces.backbone import Backbone
from camforge.interfaces.base import Plugin
from camforge.types import Network

Positive = Annotated[float, Field(gt=0)]


def _with_type(value: Any) -> Any:
    if isinstance(value, dict) and not isinstance(value.get("type"), str):
        raise PydanticCustomError("no_type", "give the name of what is registered with mmengine as 'type'")
    return value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _amp_name(value: Any) -> Any:
    return {True: "bf16", False: "off"}[value] if isinstance(value, bool) else value


ByType = Annotated[dict[str, JsonValue], BeforeValidator(_with_type)]
"""{"type": name, option: …}: what is registered with mmengine under that name, built with these options."""
Schedulers = Annotated[tuple[ByType, ...], Field(min_length=1), BeforeValidator(_as_list)]


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
    """Scale the rates when the training loss no longer falls (Meng et al. 2020, sec. 4.1).

    The papers say "when the decrease within 5 epochs is less than a threshold". Here as in torch: an epoch is bad if
    its mean loss is not below (1 - ``threshold``) times the best so far; after more than ``patience`` bad epochs in a
    row every rate is multiplied by ``factor``, and the count starts anew.
    """

    name: ClassVar[str] = "plateau"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Annotated[int, Field(ge=0)] = 5
    """Bad epochs in a row that are borne; the rates fall after one more."""
    threshold: Annotated[float, Field(ge=0)] = 1e-4
    """Relative: the share of the best loss by which a good epoch lies below it."""


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
    """The network that is trained, with or without weights to begin with."""
    epochs: Annotated[int, Field(ge=1)] = 100
    """Passes over the training images."""
    batch_size: Annotated[int, Field(ge=1)] = 20
    """Images of a step."""
    lr: Positive = 1e-4
    """Learning rate at the beginning."""
    head_lr: Positive | None = None
    """Learning rate of the last linear layer; None: the same as ``lr``."""
    optimizer: Literal["adam", "adamw", "sgd"] | ByType = "adam"
    """Or any optimiser that mmengine knows, such as ``{"type": "RMSprop", "alpha": 0.9}``; an ``lr`` or
    ``weight_decay`` in it goes before the trainer's. "sgd" has a Nesterov momentum of 0.9."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Of the optimiser, on all parameters."""
    schedule: Literal["plateau", "onecycle", "poly", "constant"] | Schedulers = "plateau"
    """"poly": lr (1 - e / epochs)^0.9 in epoch e = 0, 1, …; "onecycle": up in the first 15 % of the steps, then down
    along a cosine; or one or several of mmengine's schedulers, such as ``{"type": "MultiStepLR", "milestones": [8]}``.
    """
    plateau: Plateau = Plateau()
    """When "plateau" lowers the learning rate, and by how much."""
    flip: bool = False
    """Mirror half of the training images."""
    stop_at_accuracy: Annotated[float, Field(gt=0, lt=1)] | None = None
    """End training after the epoch in which the logged "accuracy" is larger than this."""
    hooks: Annotated[tuple[ByType, ...], BeforeValidator(_as_list)] = ()
    """mmengine's hooks, such as ``{"type": "EMAHook", "momentum": 0.001}``. What they put into a checkpoint in place of
    the weights (averaged ones) is the trained network. There is no validation loop for them to act on."""
    channels_last: bool = True
    """Keep activations channels last, which convolutions run faster with."""
    amp: Annotated[Literal["off", "bf16", "fp16"], BeforeValidator(_amp_name)] = "off"
    """Autocast, on CPU and GPU: bfloat16, or float16 with a gradient scaler. True and False stand for "bf16" and "off".
    """
    compile: bool = False
    """Compile the losses by ``torch.compile``: a minute at first, then faster steps, mostly on a GPU."""
    tf32: bool = True
    """On a GPU, float32 products and convolutions round their inputs to TF32's 10 bits while training."""
    cudnn_benchmark: bool = False
    """On a GPU, let cuDNN keep the fastest of its convolutions: quicker, but no two runs are equal to the digit."""

    @abstractmethod
    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        """The untrained learner for a view with this many outputs."""
