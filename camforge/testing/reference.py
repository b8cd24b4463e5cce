"""What a slow reference of an extractor is given: one image, one target, and the network, in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from camforge.capture import ModelLayers
from camforge.interfaces import Extractor


@dataclass(frozen=True, eq=False)
class ReferencePair:
    """One (image, target) pair.

    network  in float64 and eval mode, a copy without in-place operations, so that hooks see what a layer returned
    image    (3, H, W) float64
    target   an output of the network
    """

    network: nn.Module
    image: Tensor
    target: int

    @classmethod
    def of(cls, network: nn.Module, image: Tensor, target: int) -> ReferencePair:
        """A pair on a copy of a network."""
        plain = copy.deepcopy(network).double().eval()
        for module in plain.modules():
            if "inplace" in vars(module):
                vars(module)["inplace"] = False
        return cls(plain, image.double(), target)

    def layers(self, extractor: Extractor) -> tuple[str, ...]:
        """The layers that an extractor reads, by module path; the last stage where it has no option ``layers``."""
        return ModelLayers(self.network, (self.image[None],)).resolve(getattr(extractor, "layers", "last"))

    def score(self, logits: Tensor) -> Tensor:
        """(K,) -> the target's logit."""
        return logits[self.target]

    def captured(
        self, layer: str, score: Callable[[Tensor], Tensor] | None = None, image: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """A layer's activation and the gradient of a score of the logits (K,) with respect to it, (C, h, w) each."""
        kept: list[Tensor] = []
        handle = self.network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: kept.append(out))
        try:
            logits = self.network((self.image if image is None else image)[None])[0]
        finally:
            handle.remove()
        (gradient,) = torch.autograd.grad((score or self.score)(logits), kept[0])
        return kept[0][0].detach(), gradient[0]
