"""Targets by the names of the model's classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from camforge.interfaces.base import nearest
from camforge.types import CamForgeError


def with_indices(targets: Any, classes: Sequence[str]) -> Any:
    """The same targets, with the output of that name in the place of every name. Raises CamForgeError for others."""
    if isinstance(targets, str):
        return index_of(targets, classes)
    if isinstance(targets, np.ndarray):
        targets = targets.tolist()
    if isinstance(targets, list | tuple):
        return [with_indices(target, classes) for target in targets]
    return targets


def index_of(name: str, classes: Sequence[str]) -> int:
    """The output that a class name means: itself, one of its synonyms, or the only one that has all of its words."""
    if not classes:
        raise CamForgeError(
            f"target {name!r}: the names of the model's outputs are not known; give a number, or classes="
        )
    if not _words(name):
        raise CamForgeError(f"target {name!r}: a class name has at least one letter or digit")
    words, sets = _words(name), [_words(label) for label in classes]
    for fits in (
        [i for i, label in enumerate(classes) if label == name],
        [i for i, label in enumerate(classes) if words in map(_words, [label, *label.split(",")])],
        [i for i, has in enumerate(sets) if set(words) <= set(has)],
        [i for i, has in enumerate(sets) if has and set(has) <= set(words)],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            some = ", ".join(repr(classes[i]) for i in fits[:5]) + (", …" if len(fits) > 5 else "")
            raise CamForgeError(f"target {name!r} may be {some}: name one in full, or give its number")
    near = nearest(name, classes)
    raise CamForgeError(f"target {name!r}: no class of the model is called so; {near}it has {len(classes)} classes")


def names_of(classes: Any) -> tuple[str, ...]:
    """The names of outputs as a user gives them, arrays too. Raises CamForgeError where they are no list of names."""
    is_list = isinstance(classes, Sequence | np.ndarray) and not isinstance(classes, str)
    names = tuple(classes) if is_list else ()
    if not is_list or not all(isinstance(name, str) for name in names):
        raise CamForgeError("classes: give a list of names, one for each output, in their order")
    return tuple(map(str, names))


def check_count(classes: Sequence[str], outputs: int) -> None:
    """Raises CamForgeError where names are not as many as outputs: from the first gap on each is another's."""
    if classes and len(classes) != outputs:
        raise CamForgeError(f"classes: {len(classes)} names for {outputs} outputs; give one each, in their order")


def label_of(target: Any, classes: Sequence[str]) -> str:
    """What a target is called in captions: its class, else "output 3"; a function says its own ``label`` or name."""
    if callable(target):
        return str(getattr(target, "label", getattr(target, "__name__", type(target).__name__)))
    return classes[target].split(",")[0] if target < len(classes) else f"output {target}"


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold()))
