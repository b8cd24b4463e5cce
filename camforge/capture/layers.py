"""Which layers a model has: the names an extractor may ask for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

from torch import Tensor, nn

from camforge.capture.layout.dependence import depends
from camforge.capture.layout.grids import Grids
from camforge.capture.layout.intervention import signature
from camforge.capture.layout.layout import Layout
from camforge.capture.layout.stages import found_stages, known_stages
from camforge.capture.mismatch import mismatch
from camforge.capture.model.borrowing import is_compiled
from camforge.capture.model.structure import Structure
from camforge.types import CamForgeError, Network

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ModelLayers:
    """A model and what it is to be run on, before anything has run.

    model   the bare module, unwrapped from DataParallel, DDP and torch.compile
    inputs  the model's inputs, the images (B, 3, H, W) first
    names   the inputs' names where the model gets them by keyword
    """

    model: nn.Module
    inputs: tuple[Any, ...]
    names: tuple[str, ...] = ()
    _kept: dict[Hashable, Any] = field(default_factory=dict, init=False)

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` finds in the model's modules: looked for once in a pass."""
        if key not in self._kept:
            self._kept[key] = make()
        return cast(T, self._kept[key])

    def run(self, inputs: tuple[Any, ...]) -> Any:
        """What the model returns for other inputs like its own. Raises CamForgeError where it cannot take them."""
        named = dict(zip(self.names, inputs, strict=True)) if self.names else {}
        args = () if self.names else inputs
        try:
            return self.model(*args, **named)
        except (TypeError, RuntimeError) as error:
            if (said := mismatch(self.model, args, named, error)) is None:
                raise
            raise CamForgeError(said) from error

    def grids(self, inputs: tuple[Any, ...]) -> Grids:
        """What brings the layers' outputs for these inputs to (B, C, h, w)."""
        return Grids(self.model, inputs, self.run)

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """Module paths, shallow to deep; the last is where class maps are read."""
        shapes = tuple(tuple(x.shape[1:]) if isinstance(x, Tensor) else None for x in self.inputs)
        return Structure.of(self.model).kept(("stages", shapes), self._stages)

    def _stages(self) -> tuple[str, ...]:
        return known_stages(self.model) or found_stages(self.model, self.grids(self.inputs))

    def resolve(self, layers: str | Sequence[str]) -> tuple[str, ...]:
        """Names to module paths: "last", "stages", or paths, with ``path#k`` for the k-th call of a reused module.

        A path without ``#k`` of a module that ran several times is the last of its calls that follow the images, if it
        is made from the others; of calls side by side, as of a siamese network's, one must be named.
        """
        if layers == "last":
            return self.stages[-1:]
        if layers == "stages":
            return self.stages
        names = (layers,) if isinstance(layers, str) else tuple(layers)
        known = Structure.of(self.model).names
        return tuple(self._call(self._one(name, known)) for name in names)

    def _one(self, name: str, known: Set[str]) -> str:
        path, _, call = name.partition("#")
        if call and not call.isdigit():
            raise CamForgeError(f"layer {name!r}: after '#' stands the index of a call, such as {path}#0")
        if isinstance(self.model, Network) and f"body.{path}" in known:  # users name layers of the body
            return f"body.{name}"
        if path in known:
            return name
        for wrapper in ("module.", "_orig_mod."):  # of DataParallel and torch.compile
            if path.startswith(wrapper):
                return self._one(name.removeprefix(wrapper), known)
        if (first := self._first_name(path)) is not None:
            return self._one(f"{first}#{call}" if call else first, known)
        near = difflib.get_close_matches(path, known, n=3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise CamForgeError(f"the model has no layer {path!r}; its stages: {', '.join(self.stages)}{hint}")

    def _first_name(self, path: str) -> str | None:
        """Of a module that the model holds under several names the first, under which it is recorded."""
        try:
            module = self.model.get_submodule(path)
        except AttributeError:
            return None
        return next((name for name, other in self.model.named_modules() if name and other is module), None)

    def _call(self, name: str) -> str:
        """The name with the index of the call that is read, where there are several."""
        some = next(self.model.parameters(), None)
        if "#" in name or (some is not None and some.is_meta):  # an outline of a network, whose layers are looked up
            return name
        key = ("call", name, signature(self.inputs))
        return Structure.of(self.model).kept(key, lambda: self._chosen_call(name))

    def _chosen_call(self, name: str) -> str:
        grids = self.grids(self.inputs)
        module = self.model.get_submodule(name)
        if grids.known(name) and any(True for _ in module.parameters()):  # torchvision calls such modules once
            return name
        calls = [f"{name}#{k}" for k in range(len(grids.intervention.of(name)))]
        if len(calls) < 2:
            return name
        following = [call for call in calls if isinstance(grids.layout(call), Layout)] or calls[-1:]
        if len(following) > 1 and not depends(self.model, self.inputs, self.run, following):
            raise CamForgeError(
                f"layer {name!r} runs several times side by side: name a call, {' or '.join(following)}"
            )
        return following[-1]


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
    """The stages of a model: declared by a Network, known for torchvision's families, else found by an intervention."""
    return ModelLayers(model, inputs).stages
