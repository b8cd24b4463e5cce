"""The layers of a backbone that a trainer reads: that they are there, and what they return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from camforge.api import CamForgeError, Network, Trainer


def require_layers(trainer: Trainer, network: Network, layers: Sequence[str]) -> None:
    """Raise CamForgeError where the trainer's backbone lacks one of the layers."""
    known = dict(network.body.named_modules())
    missing = [layer for layer in layers if layer not in known]
    if missing:
        raise CamForgeError(f"{trainer.name}: backbone {trainer.backbone.name!r} has no layer {missing[0]!r}")


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
