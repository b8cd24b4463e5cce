"""One network whose strongest places are dropped while it learns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from camforge.api import Learner, Network

from .classification import Loss
from .layers import require_grids
from .single import Single, SingleLearner


class ADLLearner(SingleLearner):
    """One network under one classification loss; the layers drop only while a loss is computed."""

    def __init__(self, network: Network, loss: Loss, options: ADL) -> None:
        super().__init__(network, loss)
        self.options = options

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        body = self.networks[0].get_submodule("body")
        with ExitStack() as stack:
            for layer in self.layers:
                stack.enter_context(_dropping(body.get_submodule(layer), self.options))
            return super().losses(images, targets)

    @property
    def layers(self) -> tuple[str, ...]:
        """Where it drops."""
        network = self.networks[0]
        assert isinstance(network, Network)
        return self.options.layers or network.stages[-3:]


class ADL(Single):
    """Attention-based dropout layers (Choe and Shim, CVPR 2019).

    Behind each of the layers the channels' mean is an attention map. One pass in ``1 - drop_rate`` multiplies the
    features with its sigmoid; the others set the features to 0 where it exceeds ``threshold`` of its maximum.
    At test time nothing happens.
    """

    name = "adl"
    layers: tuple[str, ...] = ()
    """Modules of the backbone; none: its last three stages (the paper's VGG-16: pool3, pool4, conv5_3)."""
    drop_rate: Annotated[float, Field(ge=0, le=1)] = 0.75
    """How often the most discriminative part is hidden instead of weighted."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    """The share of the attention map's maximum above which features are dropped."""

    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        network = self.backbone.build(outputs, pretrained)
        learner = ADLLearner(network, self.loss, self)
        require_grids(self, network, learner.layers)
        network.train()
        return learner


@contextmanager
def _dropping(layer: nn.Module, options: ADL) -> Iterator[None]:
    def change(_module: nn.Module, _inputs: tuple[Tensor, ...], features: Tensor) -> Tensor:
        drop = float(torch.rand(())) < options.drop_rate
        return features * (kept(features, options.threshold) if drop else features.mean(1, keepdim=True).sigmoid())

    handle = layer.register_forward_hook(change)
    try:
        yield
    finally:
        handle.remove()


def kept(features: Tensor, threshold: float) -> Tensor:
    """(B, C, h, w) -> (B, 1, h, w) in {0, 1}: 0 where the channels' mean exceeds ``threshold`` of its maximum."""
    attention = features.mean(1, keepdim=True)
    return (attention <= threshold * attention.amax((2, 3), keepdim=True)).to(features)
