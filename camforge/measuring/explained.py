"""The model behind maps, as metrics see it: what it says of other images, and its maps of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from camforge.capture import ModelLayers, unwrap
from camforge.capture.model.borrowing import borrowed
from camforge.capture.rerun import in_chunks
from camforge.measuring.randomised import weighted_layers, without_weights

Networks = Sequence[Sequence[nn.Module]]
"""Of each view its branches."""
Classify = Callable[[Networks, Tensor], Tensor]
"""Networks and images (N, 3, H, W) -> logits (N, C) of all classes."""
Explain = Callable[[Networks, Tensor, Tensor, Tensor], Tensor]
"""Networks, images (N, 3, H, W), a target (N,) int64 of each and labels (N, C) bool -> maps (N, H, W)."""

FORWARDS, PASSES = 64 * 224**2, 16 * 224**2
"""Pixels that are classified, and explained, at once; fewer from where memory ran out."""


@dataclass(frozen=True, eq=False)
class Explained:
    """The networks that maps are made of, and how. See ``camforge.api.ExplainedModel`` for what metrics ask.

    outputs  the number of all classes;  plain  the place of the view that knows all of them
    """

    networks: Networks
    classify: Classify
    explain: Explain
    outputs: int
    plain: int = 0

    @property
    def weighted_layers(self) -> tuple[str, ...]:
        return weighted_layers(self.networks[self.plain][0])

    def score(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            return _in_parts(images, FORWARDS, lambda part: self.classify(self.networks, images[part]))

    def features(self, images: Tensor) -> Tensor:
        model = self.networks[self.plain][0]
        return _in_parts(images, FORWARDS, lambda part: last_stage(model, images[part]))

    def maps(self, images: Tensor, targets: Tensor, labels: Tensor | None = None) -> Tensor:
        shown = one_hot(targets, self.outputs).bool()
        shown = shown if labels is None else shown | labels

        def some(part: slice) -> Tensor:
            return self.explain(self.networks, images[part], targets[part], shown[part]).detach()

        return _in_parts(images, PASSES, some)

    def with_random_weights(self, layers: Sequence[str], seed: int = 0) -> Explained:
        return _forgetful(self, tuple(layers), seed)

    def with_shifted_input(self, shift: float) -> Explained:
        return replace(self, networks=[[_shifted(network, shift) for network in some] for some in self.networks])


@lru_cache(maxsize=8)  # batch after batch asks for the same few networks
def _forgetful(explained: Explained, layers: tuple[str, ...], seed: int) -> Explained:
    networks = [[without_weights(network, layers, seed) for network in some] for some in explained.networks]
    return replace(explained, networks=networks)


def last_stage(model: nn.Module, images: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, D): the output of the model's last stage, flattened."""
    bare, kept = unwrap(model), []
    images = images.to(next((p.dtype for p in bare.parameters() if p.is_floating_point()), images.dtype))

    def run() -> None:
        name = ModelLayers(bare, (images,)).resolve("last")[0].partition("#")[0]
        handle = bare.get_submodule(name).register_forward_hook(lambda _module, _inputs, out: kept.append(out))
        try:
            with torch.no_grad():
                bare(images)
        finally:
            handle.remove()

    borrowed(bare, True, run)
    found: Tensor = kept[-1][0] if isinstance(kept[-1], tuple) else kept[-1]
    return found.flatten(1)


def _in_parts(images: Tensor, pixels: int, run: Callable[[slice], Tensor]) -> Tensor:
    size = max(1, pixels // max(1, images[0, 0].numel()))
    return torch.cat(list(in_chunks(0, len(images), size, lambda start, stop: run(slice(start, stop)))))


def _shifted(network: nn.Module, shift: float) -> nn.Module:
    moved = copy.deepcopy(network)
    moved.register_forward_pre_hook(lambda _module, inputs: (inputs[0] - shift, *inputs[1:]))
    return moved


def branches_mean(networks: Sequence[nn.Module], images: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, C) logits, the mean over the branches."""
    return torch.stack([network(images).float() for network in networks]).mean(0)
