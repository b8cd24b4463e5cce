"""Which layers a model has: the names an extractor may ask for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from camforge.types import CamForgeError, Network

# Stages of torchvision's families: VGG before its pools, MobileNetV2 before each halving (SPEC of paper 003 and 002).
_VGG = {31: (3, 8, 15, 22, 29), 44: (5, 12, 22, 32, 42), 37: (3, 8, 17, 26, 35), 53: (5, 12, 25, 38, 51)}
_FAMILIES: dict[str, tuple[str, ...]] = {
    "ResNet": ("layer1", "layer2", "layer3", "layer4"),
    "MobileNetV2": tuple(f"features.{i}" for i in (1, 3, 6, 13, 18)),
    "DenseNet": ("features.denseblock1", "features.denseblock2", "features.denseblock3", "features.norm5"),
    "SqueezeNet": ("features.2", "features.5", "features.12"),
    "ConvNeXt": ("features.1", "features.3", "features.5", "features.7"),
    "SwinTransformer": ("features.1", "features.3", "features.5", "features.7"),
}


@dataclass(frozen=True, eq=False)
class Probe:
    """A model and what it is to be run on, before anything has run.

    model   the bare module, unwrapped from DataParallel, DDP and torch.compile
    inputs  the model's inputs, the images (B, 3, H, W) first
    """

    model: nn.Module
    inputs: tuple[Any, ...]

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """Module paths, shallow to deep; the last is where class maps are read."""
        return stages_of(self.model, *self.inputs)

    def resolve(self, layers: str | Sequence[str]) -> tuple[str, ...]:
        """"last", "stages" or module paths (``path#k`` for the k-th call of a reused module) -> module paths."""
        if layers == "last":
            return self.stages[-1:]
        if layers == "stages":
            return self.stages
        names = (layers,) if isinstance(layers, str) else tuple(layers)
        known = {name for name, _ in self.model.named_modules() if name}
        return tuple(self._one(name, known) for name in names)

    def _one(self, name: str, known: set[str]) -> str:
        path, _, call = name.partition("#")
        if call and not call.isdigit():
            raise CamForgeError(f"layer {name!r}: after '#' stands the index of a call, such as {path}#0")
        if isinstance(self.model, Network) and f"body.{path}" in known:  # users name layers of the body
            return f"body.{name}"
        if path in known:
            return name
        near = difflib.get_close_matches(path, known, n=3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise CamForgeError(f"the model has no layer {path!r}; its stages: {', '.join(self.stages)}{hint}")


def unwrap(model: nn.Module) -> nn.Module:
    """The module inside DataParallel, DistributedDataParallel and torch.compile's wrapper."""
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif type(model).__name__ == "OptimizedModule":  # its class cannot be imported without loading dynamo
            model = model.get_submodule("_orig_mod")
        else:
            return model


def stages_of(model: nn.Module, *inputs: Any) -> tuple[str, ...]:
    """The stages of a model: declared by a Network, known for torchvision's families, else found by one forward."""
    if isinstance(model, Network):
        return tuple(f"body.{stage}" for stage in model.stages)
    family = type(model).__name__
    if family == "VGG" and len(model.get_submodule("features")._modules) in _VGG:
        return tuple(f"features.{i}" for i in _VGG[len(model.get_submodule("features")._modules)])
    known = {name for name, _ in model.named_modules()}
    if family in _FAMILIES and set(_FAMILIES[family]) <= known:
        return _FAMILIES[family]
    return _found_stages(model, first_images(inputs, 1))


def first_images(inputs: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """The first ``count`` images, and the same rows of whatever other input has one row per image."""
    total = inputs[0].shape[0]
    return tuple(x[:count] if isinstance(x, Tensor) and x.dim() and x.shape[0] == total else x for x in inputs)


def _found_stages(model: nn.Module, inputs: tuple[Any, ...]) -> tuple[str, ...]:
    """The last module at each spatial size that one image passes, outermost first where several end together."""
    sizes: dict[str, tuple[int, ...]] = {}

    def note(name: str, out: object) -> None:
        if isinstance(out, Tensor) and out.dim() >= 3:
            sizes.pop(name, None)
            sizes[name] = tuple(out.shape)

    handles = [
        module.register_forward_hook(lambda _m, _i, out, name=name: note(name, out))
        for name, module in model.named_modules()
        if name
    ]
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    last = {_extent(shape): name for name, shape in sizes.items() if _extent(shape) > 1}
    if not last:
        raise CamForgeError(f"{type(model).__name__} has no layer with a spatial extent: name the layers to read")
    return tuple(last.values())


def _extent(shape: tuple[int, ...]) -> int:
    """How many places a feature map has: (B, C, *spatial) or tokens (B, N, C)."""
    size = 1
    for n in shape[2:] if len(shape) > 3 else shape[1:2]:
        size *= n
    return size
