"""What a model is made of: walked through once, kept while the model lives, checked before each use."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

from torch import nn

T = TypeVar("T")
M = TypeVar("M", bound=nn.Module)


class Structure:
    """The modules of a model and what follows from them alone, such as its stages or whether it convolves.

    No module is kept alive. A module that is added, replaced, renamed or removed is noticed: ``Structure.of`` then
    walks through the model anew. Parameters may change freely, the classes of modules may not.
    """

    def __init__(self, model: nn.Module) -> None:
        named = list(model.named_modules())
        self.names = frozenset(name for name, _ in named if name)
        self._modules = tuple(ref(module) for _, module in named)
        self._children = tuple(_children(module) for _, module in named)
        self._kept: dict[Hashable, Any] = {}
        self.in_pass = False
        """A pass through the model has checked it; no module is looked for until the end of the pass."""

    @classmethod
    def of(cls, model: nn.Module) -> Structure:
        """The model's structure as it is now."""
        known = _KNOWN.get(model)
        if known is None or not (known.in_pass or known.holds()):
            known = _KNOWN[model] = cls(model)
        return known

    def holds(self) -> bool:
        """Whether every module has the children that it had."""
        modules = [module() for module in self._modules]
        return None not in modules and self._children == tuple(map(_children, modules))  # type: ignore[arg-type]

    def modules(self) -> Iterator[nn.Module]:
        """Every module, as ``model.modules()`` gives them."""
        return iter([module for known in self._modules if (module := known()) is not None])

    def of_kind(self, kind: type[M]) -> list[M]:
        """The modules of a class."""
        places = self.kept(("kind", kind), lambda: [i for i, m in enumerate(self.modules()) if isinstance(m, kind)])
        return [module for module in (self._modules[place]() for place in places) if isinstance(module, kind)]

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` found the first time that ``key`` was asked for. It must hold no module of the model."""
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    def keep(self, key: Hashable, value: object) -> None:
        """From now on ``kept`` gives this value."""
        self._kept[key] = value


_KNOWN: WeakKeyDictionary[nn.Module, Structure] = WeakKeyDictionary()


def _children(module: nn.Module) -> tuple[Any, ...]:
    """Their names and their identities."""
    children = module._modules
    return (*children, *map(id, children.values())) if children else ()
