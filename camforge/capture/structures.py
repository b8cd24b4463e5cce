"""What people's models take and return: which tensor of a structure is meant, and that with another in its place."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from camforge.types import CamForgeError

_IMAGES = ("pixel_values", "images", "image", "pixel_values_videos", "x", "input", "inputs", "img")


def lead_tensor(output: Any) -> Tensor | None:
    """The tensor that a layer's output is read as; None where the output does not say which.

    A tensor itself; the first of a tuple, list, namedtuple or of a Hugging Face output; the only one of a dict or
    dataclass.
    """
    if isinstance(output, Tensor):
        return output
    items = _items(output)
    if isinstance(output, tuple | list) or hasattr(output, "to_tuple"):
        items = items[:1]
    tensors = [value for _, value in items if isinstance(value, Tensor)]
    return tensors[0] if len(tensors) == 1 else None


def with_lead_tensor(output: Any, tensor: Tensor) -> Any:
    """The same structure with ``tensor`` where ``lead_tensor`` found one."""
    old = lead_tensor(output)
    return tensor if isinstance(output, Tensor) else mapped(output, lambda value: tensor if value is old else value, 1)


def mapped(values: Any, change: Callable[[Tensor], Tensor], depth: int = -1) -> Any:
    """The structure with every tensor changed; ``depth`` levels down, -1: all."""
    if isinstance(values, Tensor):
        return change(values)
    items = _items(values) if depth else []
    if not items:
        return values
    new = [(key, mapped(value, change, depth - 1)) for key, value in items]
    if isinstance(values, tuple | list):
        parts = [value for _, value in new]
        return type(values)(*parts) if hasattr(values, "_fields") else type(values)(parts)
    same = copy.copy(values)
    for key, value in new:
        if isinstance(values, Mapping):
            same[key] = value
        else:
            object.__setattr__(same, key, value)
    return same


def named_tensors(output: Any) -> int:
    """How many tensors a dict, dataclass or Hugging Face output holds; 0 for a tensor, tuple or list."""
    items = [] if isinstance(output, tuple | list | Tensor) else _items(output)
    return sum(isinstance(value, Tensor) for _, value in items)


def described(output: Any) -> str:
    """In words: "a dict of 'feat', 'aux'", "a tuple of 2 tensors"."""
    if output is None:
        return "nothing"
    if isinstance(output, tuple | list) and not hasattr(output, "_fields"):
        tensors = sum(isinstance(value, Tensor) for value in output)
        return f"a {type(output).__name__}" + (f" of {tensors} tensor{'s' * (tensors > 1)}" if tensors else "")
    names = ", ".join(repr(key) for key, value in _items(output) if isinstance(value, Tensor))
    return f"a {type(output).__name__}" + (f" of {names}" if names else "")


def logits_of(output: Any) -> Any:
    """The ``logits`` of a Hugging Face output, of a dict, namedtuple or dataclass; any other output as it is.

    Logits with one place, (B, K, 1, 1), as convolutions behind a pool return them, become (B, K).
    """
    if isinstance(output, Tensor):
        return output.flatten(1) if output.dim() > 2 and output.shape[2:].numel() == 1 else output
    named = dict(_items(output)) if not isinstance(output, list) else {}
    found = named.get("logits", named.get("logits_per_image"))
    return logits_of(found) if isinstance(found, Tensor) else output


def named_inputs(model: nn.Module, inputs: Any) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """A batch as people have it -> the inputs, the images first, and their names where they are given by keyword.

    A tensor, a tuple that begins with the images, or a dict of arguments. A ``forward`` that takes keywords only gets
    them. Raises CamForgeError for what holds no images.
    """
    if isinstance(inputs, Mapping):
        first = images_key(inputs)
        if len(inputs) == 1 and not _takes(model, first):
            return (inputs[first],), _keyword_only(model)[:1]
        names = (first, *(str(key) for key in inputs if key != first))
        return tuple(inputs[name] for name in names), names
    values = inputs if isinstance(inputs, tuple) else (inputs,)
    if not values or not isinstance(values[0], Tensor):
        what = f"a {type(values[0]).__name__}" if values else "an empty tuple"
        raise CamForgeError(f"the images are {what}: give a tensor (B, channels, height, width), or a dict of inputs")
    return values, _keyword_only(model)[: len(values)]


def images_key(inputs: Mapping[Any, Any]) -> str:
    """Which of a dict of inputs are the images. Raises CamForgeError where that is open."""
    tensors = {key: value for key, value in inputs.items() if isinstance(value, Tensor)}
    images = [key for key, value in tensors.items() if value.is_floating_point() and value.dim() > 2]
    known = [key for key in _IMAGES if key in images] or images
    if not known or (len(known) > 1 and known[0] not in _IMAGES):
        have = ", ".join(f"{key} ({value.dtype}, {tuple(value.shape)})" for key, value in tensors.items())
        wanted = "name floating point (B, channels, height, width) pixel_values or images"
        raise CamForgeError(f"which of a dict's inputs are the images? It has {have or 'no tensor'}: {wanted}")
    return str(known[0])


def _takes(model: nn.Module, name: str) -> bool:
    return any(p.name == name or p.kind == p.VAR_KEYWORD for p in _parameters(model.forward))


def _keyword_only(model: nn.Module) -> tuple[str, ...]:
    """The names of a ``forward`` that takes no positional input, the images first."""
    parameters = _parameters(model.forward)
    if any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters):
        return ()
    names = [p.name for p in parameters if p.kind == p.KEYWORD_ONLY]
    return tuple(sorted(names, key=lambda name: name not in _IMAGES))


def _parameters(forward: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    """Those of a function, or of a bound method beside its instance."""
    if isinstance(forward, MethodType) and isinstance(forward.__func__, FunctionType):
        return _parameters_of_method(forward.__func__)
    return tuple(inspect.signature(forward).parameters.values())


@lru_cache(maxsize=64)
def _parameters_of_method(function: FunctionType) -> tuple[inspect.Parameter, ...]:
    """A pass would spend as long on a signature as on a layer."""
    return tuple(inspect.signature(MethodType(function, object())).parameters.values())


def _items(values: Any) -> list[tuple[Any, Any]]:
    """Key and value of a dict, tuple, list, namedtuple or dataclass."""
    if isinstance(values, Mapping):
        return list(values.items())
    if isinstance(values, tuple | list):
        return list(zip(getattr(values, "_fields", range(len(values))), values, strict=True))
    if dataclasses.is_dataclass(values) and not isinstance(values, type):
        return [(field.name, getattr(values, field.name)) for field in dataclasses.fields(values)]
    return []


def check_runnable(model: Any) -> None:
    """Raises CamForgeError for what hooks cannot see into, or what cannot run."""
    what = type(model).__name__
    if isinstance(model, torch.jit.ScriptModule):
        raise CamForgeError("a TorchScript program runs no hooks: give the nn.Module that it was made from")
    if any(kind.__module__.startswith("torch.export") for kind in type(model).__mro__):
        raise CamForgeError("a torch.export program has no layers to read: give the nn.Module that it was made from")
    if not isinstance(model, nn.Module):
        raise CamForgeError(f"the model is a {what}, not an nn.Module: its layers cannot be read")
