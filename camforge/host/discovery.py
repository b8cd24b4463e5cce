"""Find the plugins of every installed distribution; set aside those that do not work, with the reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import pluggy
from entrypoints import EntryPoint

from camforge.host import hookspecs
from camforge.interfaces import KINDS

GROUP = "camforge"


@dataclass(frozen=True)
class Offer:
    """A class that a plugin offers, not yet checked."""

    kind: str
    cls: Any
    entry: str
    distribution: str
    version: str


@dataclass(frozen=True)
class SetAside:
    """A plugin that was set aside: at which step, and why."""

    entry: str
    distribution: str
    step: str
    reason: str


@dataclass(frozen=True)
class _Declared:
    name: str
    target: str
    distribution: str
    version: str


def discover() -> tuple[list[Offer], list[SetAside]]:
    """Every class offered by the entry points of group ``camforge``, and what had to be set aside on the way."""
    offers: list[Offer] = []
    aside: list[SetAside] = []
    declared = sorted(_declared(aside), key=lambda d: (d.distribution != GROUP, d.distribution, d.name))
    off = {name.strip() for name in os.environ.get("CAMFORGE_DISABLED_PLUGINS", "").split(",")}
    for entry in declared:
        if entry.distribution in off or f"{entry.distribution}:{entry.name}" in off:
            aside.append(SetAside(entry.name, entry.distribution, "switched off", "named in CAMFORGE_DISABLED_PLUGINS"))
            continue
        step = "import"
        try:
            module = EntryPoint.from_string(entry.target, entry.name).load()
            step = "hooks"
            offers += _offers(module, entry)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may do anything at import, sys.exit included
            aside.append(SetAside(entry.name, entry.distribution, step, f"{type(error).__name__}: {error}"))
    return offers, aside


def _declared(aside: list[SetAside]) -> Iterator[_Declared]:
    """Entry points, distribution by distribution: one corrupt file must not end the walk."""
    seen: set[str] = set()
    for dist in metadata.distributions():
        name = "?"
        try:
            name = dist.metadata["Name"] or "?"
            if name in seen:  # an older copy further down the path
                continue
            seen.add(name)
            for entry in dist.entry_points:
                if entry.group == GROUP:
                    yield _Declared(entry.name, entry.value, name, dist.version)
        except Exception as error:
            if "camforge" in (dist.read_text("entry_points.txt") or ""):
                aside.append(SetAside("?", name, "entry_points.txt", f"{type(error).__name__}: {error}"))


def _offers(module: Any, entry: _Declared) -> list[Offer]:
    """Ask one plugin's hooks, alone, so that a failing one is known by name."""
    manager = pluggy.PluginManager("camforge")
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    manager.check_pending()
    offers = []
    for kind in KINDS:
        for classes in getattr(manager.hook, f"camforge_{kind}s")():
            if not isinstance(classes, list | tuple):
                raise TypeError(f"camforge_{kind}s() must return a list of classes, got {type(classes).__name__}")
            offers += [Offer(kind, cls, entry.name, entry.distribution, entry.version) for cls in classes]
    return offers
