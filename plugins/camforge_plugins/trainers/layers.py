"""The layers of a backbone that a trainer reads: that they are there, and what they return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from camforge.api import CamForgeError, Network, Trainer

PROBE = 224
"""Side of the image that layers are tried on: networks of one size, such as vision transformers, take no other."""


def require_layers(trainer: Trainer, network: Network, layers: Sequence[str]) -> None:
    """Raise CamForgeError where the trainer's backbone lacks one of the layers."""
    known = dict(network.body.named_modules())
    missing = [layer for layer in layers if layer not in known]
    if missing:
        raise CamForgeError(f"{trainer.name}: backbone {trainer.backbone.name!r} has no layer {missing[0]!r}")


def require_grids(trainer: Trainer, network: Network, layers: Sequence[str]) -> list[Tensor]:
    """What the layers return for an image of zeros, (1, C, h, w) each; the network is in eval mode then.

    Raises CamForgeError where one is missing or returns something else: tokens, channels last, nothing.
    """
    require_layers(trainer, network, layers)
    backbone = f"{trainer.name}: backbone {trainer.backbone.name!r}"
    with torch.no_grad(), outputs_of(network.body.eval(), layers) as found:
        network(torch.zeros(1, 3, PROBE, PROBE))
    for layer in layers:
        if layer not in found:
            raise CamForgeError(f"{backbone} never runs its layer {layer!r}")
        if wrong := not_a_grid(found[layer]):
            raise CamForgeError(f"{backbone} has a layer {layer!r} that returns {wrong}, no feature map (B, C, h, w)")
    return [found[layer] for layer in layers]


def not_a_grid(value: object) -> str:
    """What a layer returned for a square image, where that is no feature map (B, C, h, w), or ""."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    is_grid = value.dim() == 4 and value.shape[2] == value.shape[3]
    return "" if is_grid else f"{tuple(value.shape)}"


@contextmanager
def outputs_of(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """What the layers return while the block runs, by their paths."""
    found: dict[str, Tensor] = {}
    handles = [
        model.get_submodule(layer).register_forward_hook(lambda _m, _i, out, layer=layer: found.update({layer: out}))
        for layer in layers
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
