"""Why a model does not run on the inputs that it was given, in one line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_AXES = re.compile(
    r"Expected \dD \(unbatched\) or \dD \(batched\) input to (conv\dd), but got input of size: (\[.*?\])"
)
_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")


def mismatch(model: nn.Module, args: tuple[Any, ...], named: Mapping[str, Any], error: Exception) -> str | None:
    """What about the inputs made the model raise ``error``; None where they are not what is wrong."""
    if isinstance(error, TypeError):
        return _signature(model, args, named)
    tensors = [value for value in (*args, *named.values()) if isinstance(value, Tensor)]
    own = next(model.parameters(), None)
    if not tensors or isinstance(error, torch.OutOfMemoryError):
        return None
    return _channels(tensors[0], str(error)) or (None if own is None else _kind(tensors[0], own, str(error)))


def _signature(model: nn.Module, args: tuple[Any, ...], named: Mapping[str, Any]) -> str | None:
    signature = inspect.signature(model.forward)
    try:
        signature.bind(*args, **named)
    except TypeError as error:
        names = ", ".join(signature.parameters)
        given = f" (given: {', '.join(named)})" if named else ""
        return f"the inputs do not fit the model's forward({names}): {error}{given}"
    return None


def _channels(images: Tensor, said: str) -> str | None:
    axes, found = _AXES.search(said), _CHANNELS.search(said)
    if axes is not None:
        return f"the images have shape {tuple(images.shape)}, which reach the model's {axes[1]} as {axes[2]}"
    if found is None or images.dim() < 2 or int(found[2]) != images.shape[1]:
        return None
    shape = tuple(images.shape)
    return f"the images have shape {shape}, {found[2]} channels: the model's convolution takes {found[1]}"


def _kind(images: Tensor, own: Tensor, said: str) -> str | None:
    """Another device, or another type of numbers, than that of the model's parameters."""
    if images.device != own.device and "device" in said:
        return f"the images are on {images.device}, the model on {own.device}: move one of them"
    if images.dtype != own.dtype and "type" in said:
        return f"the images are {images.dtype}, the model's parameters {own.dtype}: give the images in that type"
    return None
