"""What a model is made of: walked through once, kept while the model lives, checked before each use."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import chain
from operator import is_
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
        modules = [module for _, module in named]
        self._modules = tuple(map(ref, modules))
        self._counts, self._names, children = _children(modules)
        places = {id(module): place for place, module in enumerate(modules)}
        self._places = tuple(-1 if child is None else places[id(child)] for child in children)
        self._kept: dict[Hashable, Any] = {}
        self.in_pass = False
        """A pass through the model has checked it; no module is looked for until the end of the pass."""
        self.hooked = False
        """Some module has a hook of somebody's, or a forward of its own: seen at the beginning of a pass."""
        self.leave: Callable[[], None] = _nothing
        """Ends what a pass began in its thread beside the model; once more does no harm."""

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
        if None in modules:
            return False
        counts, names, children = _children(modules)  # type: ignore[arg-type]
        modules.append(None)  # for children that are None, at place -1
        same = counts == self._counts and names == self._names
        return same and all(map(is_, children, map(modules.__getitem__, self._places)))

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

    def forget(self, *keys: Hashable) -> None:
        """``kept`` looks again for what was kept under these keys, or under tuples that begin with one of them."""
        for key in list(self._kept):
            if key in keys or (isinstance(key, tuple) and key[0] in keys):
                del self._kept[key]

    def keep(self, key: Hashable, value: object) -> None:
        """From now on ``kept`` gives this value."""
        self._kept[key] = value


_KNOWN: WeakKeyDictionary[nn.Module, Structure] = WeakKeyDictionary()


def _nothing() -> None:
    return


def _children(modules: Sequence[nn.Module]) -> tuple[list[int], list[str], list[nn.Module | None]]:
    """How many children each module has; the names of them all, and they themselves."""
    found = [module._modules for module in modules]
    full = list(filter(None, found))
    names = chain.from_iterable([named.keys() for named in full])
    children = chain.from_iterable([named.values() for named in full])
    return list(map(len, found)), list(names), list(children)
