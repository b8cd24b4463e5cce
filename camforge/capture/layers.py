"""Which layers a model has: the names an extractor may ask for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture.grids import Grids
from camforge.capture.model.borrowing import is_compiled
from camforge.capture.model.structure import Structure
from camforge.types import CamForgeError, Network

# Stages of torchvision's families; MobileNetV2 before each halving.
_FAMILIES: dict[str, tuple[str, ...]] = {
    "ResNet": ("layer1", "layer2", "layer3", "layer4"),
    "MobileNetV2": tuple(f"features.{i}" for i in (1, 3, 6, 13, 18)),
    "DenseNet": ("features.denseblock1", "features.denseblock2", "features.denseblock3", "features.norm5"),
    "SqueezeNet": ("features.2", "features.5", "features.12"),
    "ConvNeXt": ("features.1", "features.3", "features.5", "features.7"),
    "MaxVit": ("blocks.0", "blocks.1", "blocks.2", "blocks.3"),
    "SwinTransformer": ("features.1", "features.3", "features.5", "features.7"),
}
_ATTENTION_NORMS = ("ln_1", "norm1", "layernorm_before")  # of torchvision, timm and transformers


@dataclass(frozen=True, eq=False)
class ModelLayers:
    """A model and what it is to be run on, before anything has run.

    model   the bare module, unwrapped from DataParallel, DDP and torch.compile
    inputs  the model's inputs, the images (B, 3, H, W) first
    """

    model: nn.Module
    inputs: tuple[Any, ...]

    @property
    def stages(self) -> tuple[str, ...]:
        """Module paths, shallow to deep; the last is where class maps are read."""
        shapes = tuple(tuple(x.shape[1:]) if isinstance(x, Tensor) else None for x in self.inputs)
        return Structure.of(self.model).kept(("stages", shapes), lambda: stages_of(self.model, *self.inputs))

    def resolve(self, layers: str | Sequence[str]) -> tuple[str, ...]:
        """Names to module paths: "last", "stages", or paths, with ``path#k`` for the k-th call of a reused module."""
        if layers == "last":
            return self.stages[-1:]
        if layers == "stages":
            return self.stages
        names = (layers,) if isinstance(layers, str) else tuple(layers)
        known = Structure.of(self.model).names
        return tuple(self._one(name, known) for name in names)

    def _one(self, name: str, known: Set[str]) -> str:
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
        elif is_compiled(model):
            model = model.get_submodule("_orig_mod")
        else:
            return model


def stages_of(model: nn.Module, *inputs: Any) -> tuple[str, ...]:
    """The stages of a model: declared by a Network, known for torchvision's families, else found by one forward."""
    if isinstance(model, Network):
        return tuple(f"body.{stage}" for stage in model.stages)
    family = type(model).__name__
    if family in ("VGG", "AlexNet"):
        return _before_pools(model)
    known = {name for name, _ in model.named_modules()}
    if family in _FAMILIES and set(_FAMILIES[family]) <= known:
        return _FAMILIES[family]
    return _found_stages(model, first_images(inputs, 1))


def _before_pools(model: nn.Module) -> tuple[str, ...]:
    """What each pool of ``features`` reads: in VGG-16 the ReLUs 3, 8, 15, 22 and 29."""
    layers = enumerate(model.get_submodule("features").children())
    return tuple(f"features.{i - 1}" for i, layer in layers if isinstance(layer, nn.MaxPool2d))


def first_images(inputs: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """The first ``count`` images, and the same rows of whatever other input has one row per image."""
    total = inputs[0].shape[0]
    return tuple(x[:count] if isinstance(x, Tensor) and x.dim() and x.shape[0] == total else x for x in inputs)


def _found_stages(model: nn.Module, inputs: tuple[Any, ...]) -> tuple[str, ...]:
    """The last of the outermost modules at each spatial size that one image passes, but for pools to a fixed size."""
    shapes = _run_through(model, inputs)
    sizes: dict[int, list[str]] = {}
    for name, (_, extent) in shapes.items():
        if extent > 1:
            sizes.setdefault(extent, []).append(name)
    if not sizes:
        raise CamForgeError(f"{type(model).__name__} has no layer with a spatial extent: name the layers to read")
    order = list(shapes)
    outermost = (max(names, key=lambda n: (-n.count("."), order.index(n))) for names in sizes.values())
    last = sorted(outermost, key=order.index)
    tokens = shapes[last[-1]]
    norms = [name for name in order if name.split(".")[-1] in _ATTENTION_NORMS and shapes[name] == tokens]
    return _quarters(norms) if tokens[0] == 3 and norms else tuple(last)


def _run_through(model: nn.Module, inputs: tuple[Any, ...]) -> dict[str, tuple[int, int]]:
    """Module path -> (axes of its output, places of its grid), in the order in which the modules finish."""
    grids, shapes = Grids(model, inputs[0]), dict[str, tuple[int, int]]()

    def note(name: str, out: object) -> None:
        grid = grids.find(out, name) if isinstance(out, Tensor) and out.dim() > 2 else None
        if grid is not None:
            shapes.pop(name, None)
            shapes[name] = (out.dim(), grid.shape[2:].numel())  # type: ignore[attr-defined]

    inputs = tuple(x.clone() if isinstance(x, Tensor) else x for x in inputs)  # a model may change them in place
    modes = [(module, module.training) for module in model.modules()]
    with ExitStack() as stack:
        for name, module in model.named_modules():
            weights = "parametrizations" in name.split(".")  # modules that compute a weight, not features
            if name and not weights and not isinstance(module, nn.modules.pooling._AdaptiveAvgPoolNd):
                handle = module.register_forward_hook(lambda _m, _i, out, name=name: note(name, out))
                stack.callback(handle.remove)
        try:
            for module, _ in modes:
                module.training = False
            with torch.no_grad():
                model(*inputs)
        finally:
            for module, training in modes:
                module.training = training
    return shapes


def _quarters(norms: list[str]) -> tuple[str, ...]:
    """A plain vision transformer has one size: the norms before the attention at each quarter of its depth.

    What the last block returns is no stage: where a class token alone is read, patch tokens have no gradient there.
    """
    return tuple(dict.fromkeys(norms[max(0, len(norms) * quarter // 4 - 1)] for quarter in (1, 2, 3, 4)))
