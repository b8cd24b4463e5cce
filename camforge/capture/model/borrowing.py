"""Borrow a model for a pass and give it back exactly as it was."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import chain
from operator import attrgetter
from threading import RLock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from camforge.capture.model.structure import Structure
from camforge.types import CamForgeError

T = TypeVar("T")
_HOOKS = (
    "_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs", "_backward_hooks", "_backward_pre_hooks",
)  # fmt: skip


class WithoutWeights(CamForgeError):
    """A model without values was to be run: on the meta device, or of lazy layers that have not run yet."""


_RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)


def is_compiled(module: nn.Module) -> bool:
    """It is what ``torch.compile(module)`` returned; its class cannot be imported without loading dynamo."""
    return type(module).__name__ == "OptimizedModule"


def borrowed(model: nn.Module, freeze: bool, run: Callable[[], T]) -> T:
    """``run()`` while the model is in eval mode, with gradients on whatever the caller's mode, compiled parts eager.

    ``freeze``: parameters take no gradient meanwhile, so autograd records only what lies behind a captured layer.
    Passes through models that share a module wait for one another. The model comes back as it was also where an
    exception or a signal's handler ends the pass at any point: this is why nothing here is a generator, whose end
    Python may put off.
    """
    structure = Structure.of(model)
    compiled = _has_compiled_parts(structure)
    locks = structure.kept(("locks", os.getpid()), lambda: _locks(structure))
    return _in_turn(([PROCESS_WIDE] if compiled else []) + locks, lambda: _borrowed(structure, freeze, compiled, run))


def _borrowed(structure: Structure, freeze: bool, compiled: bool, run: Callable[[], T]) -> T:
    outside = torch.inference_mode(False) if torch.is_inference_mode_enabled() else nullcontext()
    eager = torch.compiler.set_stance("force_eager") if compiled else nullcontext()  # or a call would skip new hooks
    with outside, eager:
        state = _State(structure)
        try:
            state.prepare(freeze)
            return run()
        except BaseException:
            state.clean = False
            raise
        finally:
            try:
                state.restore()
            except BaseException:  # a signal's handler came between
                state.restore()
                raise


def _in_turn(locks: Sequence[Any], run: Callable[[], T]) -> T:
    if not locks:
        return run()
    with locks[0]:
        return _in_turn(locks[1:], run)


class _State:
    """What a pass changes of a model and of this thread, with what to put back; to put it back twice does no harm."""

    def __init__(self, structure: Structure) -> None:
        self.clean, self._structure, self._grad_mode = True, structure, torch.is_grad_enabled()
        self._modules = list(structure.modules())
        self._recurrent = [module for module in structure.of_kind(nn.RNNBase) if type(module) in _RECURRENT]
        own = [module.__dict__ for module in self._modules]
        hooked = [
            d for d in own
            if d["_forward_hooks"] or d["_forward_pre_hooks"] or d["_backward_hooks"] or d["_backward_pre_hooks"]
        ]  # fmt: skip
        self._hooks = [(id(hooks), hooks.copy()) for attributes in hooked for hooks in _hooks(attributes)]
        self._forwards = [(attributes, attributes["forward"]) for attributes in own if "forward" in attributes]
        structure.hooked = bool(hooked or self._forwards)
        self._attributes: list[tuple[nn.Module, str, Any]] = []
        self._tensors: list[tuple[dict[str, Any], str, Tensor]] = []
        self._trainable: list[Tensor] = []
        self._changing: set[int] | None = structure.kept("changing buffers", lambda: None)
        self._buffers: list[tuple[int, str, Tensor, int, Tensor]] = []

    def prepare(self, freeze: bool) -> None:
        """Eval mode, gradients on, ordinary tensors only and, where asked for, no parameter that takes a gradient.

        What normalises or prunes a weight (``weight_norm``, ``spectral_norm``, ``prune``) sets it anew before each
        call: such a weight is put back as well.
        """
        self._structure.in_pass = True
        torch.set_grad_enabled(True)
        for module in self._modules:
            if module._forward_pre_hooks:
                tensors = [(name, value) for name, value in vars(module).items() if isinstance(value, Tensor)]
                self._attributes += [(module, name, value) for name, value in tensors]
            if module.training:
                self._set(module, "training", False)
        for module in self._recurrent:  # cudnn has no backward in eval mode; without dropout both modes are the same
            self._set(module, "dropout", 0.0)
            self._set(module, "training", True)
        owned = chain.from_iterable([module._parameters.values() for module in self._modules])
        parameters = [parameter for parameter in owned if parameter is not None]
        if any(map(is_lazy, parameters)):
            raise WithoutWeights("the model has lazy layers, which have no weights before they run: run it once first")
        if any(map(attrgetter("is_meta"), parameters)):
            raise WithoutWeights("the model lies on the meta device, without weights: load them first")
        if any(map(Tensor.is_inference, parameters)):
            self._take_out_of_inference()
            parameters = [parameter for parameter in parameters if not parameter.is_inference()]
        self._trainable = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in self._trainable if freeze else ():
            parameter.requires_grad = False  # twice as quick as requires_grad_()
        self._note_buffers()

    def restore(self) -> None:
        """Everything as it was. Hooks are looked at only where the pass did not end by itself."""
        self._structure.leave()
        self._structure.in_pass = False
        for parameter in self._trainable:
            parameter.requires_grad = True
        for module, name, value in reversed(self._attributes):
            _write(module, name, value)
        self._restore_buffers()
        for tensors, name, tensor in self._tensors:
            tensors[name] = tensor
        if not self.clean:
            self._restore_hooks()
        torch.set_grad_enabled(self._grad_mode)

    def _set(self, module: nn.Module, name: str, value: Any) -> None:
        self._attributes.append((module, name, getattr(module, name)))
        _write(module, name, value)

    def _take_out_of_inference(self) -> None:
        """Autograd refuses tensors that were made in inference mode: ordinary copies stand in for them."""
        for module in self._modules:
            parameters: dict[str, Any] = module._parameters
            buffers: dict[str, Any] = module._buffers
            for tensors in (parameters, buffers):
                for name, tensor in tensors.items():
                    if tensor is not None and tensor.is_inference():
                        self._tensors.append((tensors, name, tensor))
                        copy = tensor.clone()
                        tensors[name] = nn.Parameter(copy, False) if tensors is parameters else copy

    def _note_buffers(self) -> None:
        """Copies of the buffers that a forward changes, such as a counter: which those are the first pass tells."""
        for place, module in enumerate(self._modules):
            if self._changing is None or place in self._changing:
                for name, buffer in module._buffers.items():
                    if buffer is not None and not buffer.is_inference():
                        self._buffers.append((place, name, buffer, buffer._version, buffer.detach().clone()))

    def _restore_buffers(self) -> None:
        changed = set()
        for place, name, buffer, version, copy in self._buffers:
            buffers = self._modules[place]._buffers
            if buffers.get(name) is not buffer or buffer._version > version:
                changed.add(place)
                buffers[name] = buffer
                with torch.no_grad():
                    buffer.copy_(copy)
        if self.clean:
            self._structure.keep("changing buffers", changed.union(self._changing or ()))

    def _restore_hooks(self) -> None:
        before = dict(self._hooks)
        for module in self._modules:
            vars(module).pop("forward", None)
            for hooks in _hooks(vars(module)):
                then = before.get(id(hooks), {})
                if hooks.keys() != then.keys():
                    hooks.clear()
                    hooks.update(then)
        for attributes, forward in self._forwards:
            attributes["forward"] = forward


def _hooks(attributes: dict[str, Any]) -> Iterator[dict[int, Any]]:
    return (attributes[name] for name in _HOOKS if name in attributes)


def _write(module: nn.Module, name: str, value: Any) -> None:
    """Set an attribute, not by the module's own __setattr__ (slow, and a user's may do more) where that is possible."""
    if name in vars(module):
        vars(module)[name] = value
    else:
        setattr(module, name, value)


def _has_compiled_parts(structure: Structure) -> bool:
    if structure.kept("compiled", lambda: any(map(is_compiled, structure.modules()))):
        return True
    return bool([module for module in structure.modules() if module._compiled_call_impl is not None])


# A module's lock is that of the first model which was borrowed with it; a model made of others' parts has several.
_LOCKS: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()
_ACCESS = RLock()
PROCESS_WIDE = RLock()
"""Held while a setting of the whole process is changed for a pass, such as torch.compile's stance."""


def _locks(structure: Structure) -> list[Any]:
    """The locks that a pass through a model holds, in one order for all threads."""
    own = RLock()
    with _ACCESS:
        found = {id(lock): lock for lock in (_LOCKS.setdefault(module, own) for module in structure.modules())}
    return [found[key] for key in sorted(found)]


def _forget_locks() -> None:
    """In a forked process the threads that held locks are gone."""
    global _ACCESS, PROCESS_WIDE
    _ACCESS, PROCESS_WIDE = RLock(), RLock()
    _LOCKS.clear()


if hasattr(os, "register_at_fork"):  # Windows forks no process
    os.register_at_fork(after_in_child=_forget_locks)
