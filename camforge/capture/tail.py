"""Re-run only what lies behind a layer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture.forward import Runner
from camforge.capture.structures import lead_tensor, mapped, with_lead_tensor
from camforge.types import CamForgeError


@dataclass(frozen=True, eq=False)
class _Call:
    """A call that was over before the layer returned: its module, a copy of its output, and if that was overwritten."""

    module: nn.Module
    output: Any
    overwritten: bool = False


@dataclass(frozen=True, eq=False)
class Tail:
    """What lies behind a layer. Modules that were done before it only give back what they returned the first time.

    value     what the layer returned, (B, …) in its own layout
    finished  the calls before the layer's, in order;  skipped  modules whose output only the layer can see
    overwrites  the model changes its images in place
    """

    runner: Runner
    inputs: tuple[Any, ...]
    layer: nn.Module
    value: Any
    finished: tuple[_Call, ...]
    skipped: tuple[nn.Module, ...]
    overwrites: bool = False

    @staticmethod
    def of(runner: Runner, layer: str, inputs: tuple[Any, ...]) -> Tail:
        """Record one forward of the whole batch; what was recorded lives as long as the Tail."""
        runner.model_layers.grids(inputs).check_images_first(layer)
        with torch.no_grad():
            laid_out = (runner.laid_out(inputs[0]), *inputs[1:])
            version = laid_out[0]._version
            logits, tail = _recorded(runner, layer, laid_out, skip=True)
            if laid_out[0]._version > version:
                tail = replace(tail, inputs=inputs, overwrites=True)
            last = inputs[0].shape[0] - 1
            again = tail.logits(last, tail.value_of(last).repeat(2, *(1,) * (tail.value_of(last).dim() - 1)))
            if not torch.allclose(again, logits[last:].expand_as(again), rtol=1e-3, atol=1e-4):
                return replace(tail, finished=(), skipped=())  # an odd layout: run all of it, which is always right
        return tail

    def value_of(self, image: int) -> Tensor:
        """(1, …): what the layer returned for one image, in its own layout."""
        first = lead_tensor(self.value)
        assert first is not None  # or the layer could not have been recorded
        return first[image : image + 1]

    def logits(self, image: int, values: Tensor) -> Tensor:
        """(m, K) of one image where the layer returns ``values`` (m, …), which the model may overwrite."""
        rows, batch = values.shape[0], self.inputs[0].shape[0]

        def given() -> Any:
            rest = _repeated(self.value, image, rows, batch, copy=False)
            return with_lead_tensor(rest, values)

        answers: dict[nn.Module, deque[Callable[[], Any]]] = {}
        for call in self.finished:
            answer = lambda call=call: _repeated(call.output, image, rows, batch, call.overwritten)  # noqa: E731
            answers.setdefault(call.module, deque()).append(answer)
        answers.setdefault(self.layer, deque()).append(given)
        inputs = tuple(_repeated(x, image, rows, batch, copy=self.overwrites) for x in self.inputs)
        with ExitStack() as stack:
            for module, queue in answers.items():
                stack.enter_context(_answering(module, queue))
            for module in self.skipped:
                stack.enter_context(_replaced(module, lambda x: x))
            return self.runner.logits(inputs)


def _recorded(runner: Runner, layer: str, inputs: tuple[Any, ...], skip: bool) -> tuple[Tensor, Tail]:
    """One forward with every outermost call beside the way to the layer recorded; ``skip``: not in Sequentials."""
    path, _, index = layer.partition("#")
    names = path.split(".")
    scopes = [runner.model_layers.model.get_submodule(".".join(names[:depth])) for depth in range(len(names))]
    way = [*scopes[1:], runner.model_layers.model.get_submodule(path)]
    chain = [skip and type(scope).forward is nn.Sequential.forward for scope in scopes]
    beside = [
        child for scope, is_chain in zip(scopes, chain, strict=True) if not is_chain
        for child in scope.children() if not any(child is module for module in way)
    ]  # fmt: skip
    watch = _Watch(way[-1])
    calls_of_scopes: list[int] = []
    with ExitStack() as stack:
        for module in dict.fromkeys((*beside, way[-1])):
            stack.enter_context(watch.on(module))
        for scope, is_chain in zip(scopes, chain, strict=True):
            if is_chain:
                handle = scope.register_forward_hook(lambda _m, _i, _o: calls_of_scopes.append(1))
                stack.callback(handle.remove)
        logits = runner.logits(inputs)
    if sum(chain) and (len(calls_of_scopes) > sum(chain) or len(watch.layer_calls) > 1):
        return _recorded(runner, layer, inputs, skip=False)  # a reused Sequential: its modules must be told apart
    skipped = [
        child for scope, next_one, is_chain in zip(scopes, way, chain, strict=True) if is_chain
        for child in _before(scope, next_one)
    ]  # fmt: skip
    finished, value = watch.until(int(index) if index else -1, layer)
    return logits, Tail(runner, inputs, way[-1], value, finished, tuple(skipped))


@dataclass
class _Watch:
    """Records outermost calls of watched modules; what happens inside one of them is not seen from outside."""

    layer: nn.Module
    active: int = 0
    calls: list[_Call] = field(default_factory=list)
    versions: list[list[tuple[Tensor, int]]] = field(default_factory=list)
    layer_calls: list[int] = field(default_factory=list)

    @contextmanager
    def on(self, module: nn.Module) -> Iterator[None]:
        handles = [module.register_forward_pre_hook(self._enter), module.register_forward_hook(self._leave)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, _module: nn.Module, _inputs: Any) -> None:
        self.active += 1

    def _leave(self, module: nn.Module, _inputs: Any, output: Any) -> None:
        self.active -= 1
        if module is self.layer:
            self.layer_calls.append(len(self.calls) if not self.active else -1)
        if not self.active:
            self.calls.append(_Call(module, mapped(output, Tensor.clone)))
            self.versions.append([(tensor, tensor._version) for tensor in _tensors(output)])

    def until(self, index: int, name: str) -> tuple[tuple[_Call, ...], Any]:
        """The calls before the layer's ``index``-th one, and what that one returned."""
        place = self.layer_calls[index] if -len(self.layer_calls) <= index < len(self.layer_calls) else -1
        if place < 0:
            raise CamForgeError(f"layer {name!r} is not called on its own way through the model: nothing to re-run")
        changed = [any(tensor._version != then for tensor, then in watched) for watched in self.versions]
        calls = [replace(call, overwritten=late) for call, late in zip(self.calls, changed, strict=True)]
        return tuple(calls[:place]), calls[place].output


@contextmanager
def _answering(module: nn.Module, queue: deque[Callable[[], Any]]) -> Iterator[None]:
    """The module's next calls give back what the queue holds; then it works as before."""
    original = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        return queue.popleft()() if queue else original(*args, **kwargs)

    with _replaced(module, forward):
        yield


@contextmanager
def _replaced(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    before = vars(module).get("forward")
    try:
        module.forward = forward
        yield
    finally:
        if before is None:
            vars(module).pop("forward", None)
        else:
            module.forward = before


def _before(scope: nn.Module, child: nn.Module) -> list[nn.Module]:
    """The children of a Sequential that run before one of them."""
    found = []
    for module in scope.children():
        if module is child:
            break
        found.append(module)
    return found


def _repeated(values: Any, image: int, rows: int, batch: int, copy: bool) -> Any:
    """One image's part of an output, ``rows`` times over; only a view unless it is going to be overwritten."""

    def repeat(tensor: Tensor) -> Tensor:
        if not tensor.dim() or tensor.shape[0] % batch:
            return tensor
        own = tensor.unflatten(0, (batch, -1))[image]  # (1, …), or (windows, …) for outputs (batch * windows, …)
        many: Tensor = own.expand(rows, *own.shape).flatten(0, 1)
        return many.clone(memory_format=torch.contiguous_format) if copy else many

    return mapped(values, repeat)


def _tensors(values: Any) -> list[Tensor]:
    found: list[Tensor] = []
    mapped(values, lambda tensor: found.append(tensor) or tensor)  # type: ignore[func-returns-value]
    return found
