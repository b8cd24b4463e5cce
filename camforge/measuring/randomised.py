"""Networks that forget: parameters drawn anew, as when the network was made."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from zlib import crc32

import torch
from torch import nn

from camforge.types import CamForgeError


def weighted_layers(model: nn.Module) -> tuple[str, ...]:
    """Paths of the modules that have parameters of their own, the last that the model registers first."""
    named = [name for name, module in model.named_modules() if next(module.parameters(recurse=False), None) is not None]
    return tuple(reversed(named))


def without_weights(model: nn.Module, layers: Sequence[str], seed: int) -> nn.Module:
    """A copy whose ``layers`` lost their parameters, each drawn from the seed and its own path alone.

    So what a layer forgets does not depend on the others. Raises CamForgeError for a path that the model has not.
    """
    if unknown := set(layers) - set(weighted_layers(model)):
        raise CamForgeError(f"no layer with parameters is called {', '.join(sorted(unknown))}")
    device = next(model.parameters()).device
    forgetful = copy.deepcopy(model).cpu()
    with torch.random.fork_rng(devices=[]):
        for name in layers:
            torch.default_generator.manual_seed(crc32(f"{seed}:{name}".encode()))
            initialise(forgetful.get_submodule(name))
    return forgetful.to(device)


def initialise(module: nn.Module) -> None:
    """Parameters as when the module was made; where it cannot draw them, its values are shuffled."""
    reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
    if reset is not None:
        reset()
        return
    for parameter in module.parameters(recurse=False):
        flat = parameter.data.flatten()
        parameter.data.copy_(flat[torch.randperm(len(flat))].view_as(parameter))
