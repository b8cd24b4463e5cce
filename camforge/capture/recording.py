"""Hooks that keep what layers get and return, right under in-place operations and for every call of a reused module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from camforge.capture.structures import described, lead_tensor, with_lead_tensor
from camforge.types import CamForgeError


@dataclass(frozen=True, eq=False)
class RecordedOutput:
    """One call's output.

    edge   where autograd's graph is cut: gradients are right even if a later operation overwrites the tensor
    value  the output itself, a copy that no in-place operation reaches; None where no extractor reads it
    """

    edge: Tensor | GradientEdge
    shape: tuple[int, ...]
    value: Tensor | None


@dataclass(frozen=True, eq=False)
class Record:
    """Every call of every hooked module, in order: its output, and its first input where that was asked for."""

    outputs: dict[str, list[RecordedOutput]] = field(default_factory=dict)
    inputs: dict[str, list[Tensor]] = field(default_factory=dict)

    def names(self, name: str) -> list[str]:
        """``path#*`` -> ``path#0``, ``path#1`` … of the calls there were; any other name alone."""
        path, _, index = name.partition("#")
        calls = self.outputs.get(path) or self.inputs.get(path) or []
        return [f"{path}#{k}" for k in range(len(calls))] if index == "*" else [name]

    def output(self, name: str) -> RecordedOutput:
        """The call that ``path#k`` names; the last call without an index."""
        path, _, index = name.partition("#")
        calls = self.outputs[path]
        if not calls:
            raise CamForgeError(f"layer {path!r} was not called in this forward pass")
        if index and int(index) >= len(calls):
            raise CamForgeError(f"layer {path!r} was called {len(calls)} times; there is no call #{index}")
        return calls[int(index) if index else -1]

    def input(self, name: str) -> Tensor:
        """What the call got."""
        path, _, index = name.partition("#")
        return self.inputs[path][int(index)]

    def clear(self) -> None:
        """Forget what an abandoned forward left."""
        for outputs in self.outputs.values():
            outputs.clear()
        for inputs in self.inputs.values():
            inputs.clear()


class Lightly:
    """Inference mode between ``begin`` and ``end``, which may come more than once; nothing where it is not wanted."""

    def __init__(self, wanted: bool) -> None:
        self._mode = torch.inference_mode() if wanted else None

    def begin(self) -> None:
        if self._mode is not None:
            self._mode.__enter__()

    def end(self) -> None:
        """Autograd records from here on."""
        if self._mode is not None and torch.is_inference_mode_enabled():  # not where a signal came before it began
            self._mode.__exit__(None, None, None)
        self._mode = None


@contextmanager
def recording(
    model: nn.Module, values: Sequence[str], edges: Sequence[str], inputs: Sequence[str], first: Callable[[], None]
) -> Iterator[Record]:
    """Record while the model runs inside the ``with`` block: outputs with their values, outputs as edges, inputs.

    first  is called when the first output is there: autograd must record from there on
    """
    record, kept, handles = Record(), set(_paths(values)), []
    try:
        for path in _paths((*values, *edges)):
            calls = record.outputs[path] = []
            hook = _output_hook(path, calls, path in kept, first)
            handles.append(model.get_submodule(path).register_forward_hook(hook))
        for path in _paths(inputs):
            got = record.inputs[path] = []
            handles.append(model.get_submodule(path).register_forward_pre_hook(_input_hook(got)))
        yield record
    finally:
        for handle in handles:
            handle.remove()


def _paths(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(name.partition("#")[0] for name in names))


def _output_hook(path: str, calls: list[RecordedOutput], keep: bool, begin: Callable[[], None]) -> Callable[..., Any]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        first = lead_tensor(output)
        if first is None:
            raise CamForgeError(f"layer {path!r} returns {described(output)}: name a layer in it that returns a tensor")
        if first.requires_grad:
            calls.append(RecordedOutput(get_gradient_edge(first), first.shape, first.clone() if keep else None))
            return None
        begin()
        with _recorded():  # a model may switch its backbone's gradients off
            plain = first.clone() if first.is_inference() else first.detach()
            leaf = plain.requires_grad_()  # nothing is recorded below the shallowest layer
            calls.append(RecordedOutput(leaf, leaf.shape, leaf))
            return with_lead_tensor(output, leaf.clone())

    return hook


def _recorded() -> AbstractContextManager[Any]:
    """Autograd records. Inference mode is left only where it is on: a signal that comes while it is entered or left
    would find the gradients' mode changed at its end."""
    return torch.inference_mode(False) if torch.is_inference_mode_enabled() else torch.enable_grad()


def _input_hook(calls: list[Tensor]) -> Callable[..., None]:
    def hook(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
        calls.append(inputs[0].detach().clone())

    return hook
