"""A finer last grid from the same weights: strides become dilations."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from camforge.api import CamForgeError

OutputStride = Literal[8, 16, 32]
"""Pixels of the image per cell of the last grid."""
Pair = tuple[int, int]
SIDE = 256  # of the image that tells each layer's stride


class DilatedMaxPool(nn.Module):
    """A max pooling of stride 1 over places that lie ``dilation`` apart; as many places come out as go in."""

    def __init__(self, kernel: Pair, padding: Pair, dilation: Pair) -> None:
        super().__init__()
        self.kernel, self.dilation = kernel, dilation
        before = [d * p for d, p in zip(dilation, padding, strict=True)]
        after = [d * (k - 1) - b for d, k, b in zip(dilation, kernel, before, strict=True)]
        self.around = (before[1], after[1], before[0], after[0])

    def forward(self, features: Tensor) -> Tensor:
        widened = pad(features, self.around, value=-torch.inf)
        return nn.functional.max_pool2d(widened, self.kernel, 1, 0, self.dilation)


def dilate(body: nn.Module, output_stride: OutputStride, label: str) -> None:
    """Change ``body`` so that no grid is coarser than one cell per ``output_stride`` pixels; weights stay.

    A layer whose output would be coarser steps less, and what comes behind it looks as many cells further apart ("à
    trous", Chen et al., DeepLab): at every place of the old grid the new one has the old values.
    Raises CamForgeError where a layer cannot be changed so.
    """
    for path, stride in _strides(body).items():
        layer = body.get_submodule(path)
        apart = max(1, stride // output_stride)
        step = _pair(layer.stride)[0]
        if apart == 1 and stride * step <= output_stride:
            continue
        kept = max(1, min(step, output_stride // stride))
        if isinstance(layer, nn.Conv2d):
            _dilate_convolution(layer, apart, kept)
        elif isinstance(layer, nn.MaxPool2d) and kept == 1 and not layer.ceil_mode:
            _replace(body, path, _dilated_pool(layer, apart))
        else:
            raise CamForgeError(f"{label}: output_stride={output_stride} cannot change its layer {path!r} ({layer})")


def _strides(body: nn.Module) -> dict[str, int]:
    """Of each convolution and pooling that looks beyond a cell or steps: the pixels per cell of what it reads."""
    found: dict[str, int] = {}
    handles = []
    for path, layer in body.named_modules():
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) and _looks_around(layer):

            def note(_layer: nn.Module, inputs: tuple[Tensor, ...], path: str = path) -> None:
                found[path] = SIDE // inputs[0].shape[-1]

            handles.append(layer.register_forward_pre_hook(note))
    training = body.training
    try:
        with torch.no_grad():
            body.eval()(torch.zeros(1, 3, SIDE, SIDE))
    finally:
        body.train(training)
        for handle in handles:
            handle.remove()
    return found


def _looks_around(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) -> bool:
    return max(_pair(layer.kernel_size)) > 1 or max(_pair(layer.stride)) > 1


def _dilate_convolution(layer: nn.Conv2d, apart: int, stride: int) -> None:
    padding = _pair(layer.padding)
    height, width = _pair(layer.dilation)
    layer.stride = (stride, stride)
    layer.padding = (padding[0] * apart, padding[1] * apart)
    layer.dilation = (height * apart, width * apart)


def _dilated_pool(layer: nn.MaxPool2d, apart: int) -> DilatedMaxPool:
    dilation = _pair(layer.dilation)
    return DilatedMaxPool(_pair(layer.kernel_size), _pair(layer.padding), (dilation[0] * apart, dilation[1] * apart))


def _replace(body: nn.Module, path: str, layer: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(body.get_submodule(parent), name, layer)


def _pair(value: object) -> Pair:
    if isinstance(value, tuple):
        return value[0], value[-1]
    if isinstance(value, int):
        return value, value
    raise CamForgeError(f"{value!r} cannot be dilated")
