"""Hooks that keep what layers return, right under in-place operations and for every call of a reused module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from camforge.types import CamForgeError


@dataclass(frozen=True, eq=False)
class Taken:
    """One call's output.

    edge   where autograd's graph is cut: gradients are right even if a later operation overwrites the tensor
    value  the output itself, a copy that no in-place operation reaches; None where nobody reads it
    """

    edge: Tensor | GradientEdge
    shape: torch.Size
    value: Tensor | None


@dataclass
class Record:
    """Every call of every hooked module, in order."""

    calls: dict[str, list[Taken]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Taken:
        """The call that ``path#k`` names; the last call without an index."""
        path, _, index = name.partition("#")
        calls = self.calls[path]
        if not calls:
            raise CamForgeError(f"layer {path!r} was not called in this forward pass")
        if index and int(index) >= len(calls):
            raise CamForgeError(f"layer {path!r} was called {len(calls)} times; there is no call #{index}")
        return calls[int(index) if index else -1]


@contextmanager
def recording(model: nn.Module, activations: Sequence[str], gradients: Sequence[str]) -> Iterator[Record]:
    """Record the outputs of the named layers while the model runs inside the ``with`` block."""
    record, values = Record(), {name.partition("#")[0] for name in activations}
    handles = []
    try:
        for path in {name.partition("#")[0]: None for name in (*activations, *gradients)}:
            record.calls[path] = []
            hook = _hook(path, record.calls[path], path in values)
            handles.append(model.get_submodule(path).register_forward_hook(hook))
        yield record
    finally:
        for handle in handles:
            handle.remove()


def _hook(path: str, calls: list[Taken], keep: bool) -> Any:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple | list) else output
        if not isinstance(first, Tensor):
            raise CamForgeError(f"layer {path!r} returns a {type(first).__name__}: only tensors can be captured")
        if first.requires_grad:
            calls.append(Taken(get_gradient_edge(first), first.shape, first.clone() if keep else None))
            return None
        leaf = first.detach().requires_grad_()  # nothing is recorded below the shallowest layer
        calls.append(Taken(leaf, leaf.shape, leaf))
        onward = leaf.clone()
        return type(output)((onward, *output[1:])) if isinstance(output, tuple | list) else onward

    return hook


def gradients_of(
    score: Tensor, record: Mapping[str, Taken], extra: Sequence[Tensor], create: bool, keep: bool
) -> list[Tensor]:
    """d score / d each recorded call, then / d each of ``extra``; zeros where the score does not depend on it."""
    wrt: list[Any] = [taken.edge for taken in record.values()] + list(extra)
    if not wrt:
        return []
    if not score.requires_grad:
        raise CamForgeError("the score has no gradient: the model or the target works on detached tensors")
    found = torch.autograd.grad(score, wrt, retain_graph=keep or create, create_graph=create, allow_unused=True)
    shapes = [taken.shape for taken in record.values()] + [tensor.shape for tensor in extra]
    return [score.new_zeros(shape) if g is None else g for g, shape in zip(found, shapes, strict=True)]
