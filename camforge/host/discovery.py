"""Find the plugins of every installed distribution; reject those that do not work, with the reason."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any

import pluggy
from entrypoints import EntryPoint

from camforge.host import hookspecs
from camforge.host.damage import entry_points_of
from camforge.host.errors import message_of
from camforge.host.isolation import time_limit, trial, untouched
from camforge.interfaces import KINDS

GROUP = "camforge"
SECONDS = 30.0
"""A plugin that takes longer to import is rejected (CAMFORGE_PLUGIN_SECONDS changes it)."""


@dataclass(frozen=True)
class PluginEntryPoint:
    """An entry point of group ``camforge``, not yet loaded."""

    name: str
    target: str
    distribution: str
    version: str


@dataclass(frozen=True)
class PluginClass:
    """A class that a plugin offers, not yet checked."""

    kind: str
    cls: Any
    entry: str
    distribution: str
    version: str


@dataclass(frozen=True)
class RejectedPlugin:
    """A plugin that was rejected: at which step, and why."""

    entry: str
    distribution: str
    step: str
    reason: str


def discover() -> tuple[list[PluginClass], list[RejectedPlugin]]:
    """Every class offered by the entry points of group ``camforge``, and what had to be rejected on the way."""
    plugin_classes: list[PluginClass] = []
    entries, rejected = plugin_entry_points()
    for entry in entries:
        found = load(entry)
        if isinstance(found, RejectedPlugin):
            rejected.append(found)
        else:
            plugin_classes += found
    return plugin_classes, rejected


def plugin_entry_points() -> tuple[list[PluginEntryPoint], list[RejectedPlugin]]:
    """All entry points, CamForge's own first, and what is corrupt or switched off. Imports nothing."""
    rejected: list[RejectedPlugin] = []
    entries = sorted(_walk(rejected), key=lambda d: (d.distribution != GROUP, d.distribution, d.name))
    off = {name.strip() for name in os.environ.get("CAMFORGE_DISABLED_PLUGINS", "").split(",")}
    on = []
    for entry in entries:
        if off & {entry.distribution, f"{entry.distribution}:{entry.name}"}:
            rejected.append(
                RejectedPlugin(entry.name, entry.distribution, "switched off", "named in CAMFORGE_DISABLED_PLUGINS")
            )
        else:
            on.append(entry)
    return on, rejected


def load(entry: PluginEntryPoint) -> list[PluginClass] | RejectedPlugin:
    """Import one entry point and ask its hooks; a stranger's first in a process of its own, whose end is waited for."""
    if entry.distribution != GROUP and (reason := trial(lambda: ask(entry), _seconds())):
        return RejectedPlugin(entry.name, entry.distribution, "import", reason)
    with nullcontext() if entry.distribution == GROUP else untouched():
        return ask(entry)


def ask(entry: PluginEntryPoint) -> list[PluginClass] | RejectedPlugin:
    """Import one entry point here and ask its hooks."""
    step = "import"
    try:
        with _installed_only(), time_limit(0.0 if entry.distribution == GROUP else _seconds()):
            module = EntryPoint.from_string(entry.target, entry.name).load()
            step = "hooks"
            return _plugin_classes(module, entry)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may do anything at import, sys.exit included
        reason = f"{type(error).__name__.lstrip('_')}: {message_of(error)}"
        return RejectedPlugin(entry.name, entry.distribution, step, reason)


def _walk(rejected: list[RejectedPlugin]) -> Iterator[PluginEntryPoint]:
    """Entry points, distribution by distribution: one corrupt file must not end the walk."""
    seen: set[str] = set()
    for dist in metadata.distributions(path=sys.path[_starts_here() :]):
        name = "?"
        try:
            name = dist.metadata["Name"] or "?"
            if _normal(name) in seen:  # an older copy further down the path
                continue
            seen |= {_normal(name)} - {"?"}
            for entry in entry_points_of(dist):
                if entry.group == GROUP:
                    yield PluginEntryPoint(entry.name, entry.value, name, dist.version)
        except Exception as error:
            if _is_ours(dist):
                rejected.append(RejectedPlugin("?", name, "entry_points.txt", f"no lines 'name = module' ({error})"))


def _starts_here() -> int:
    """1 where Python imports from the current folder first (python -m, a notebook): its files are not installed."""
    first = sys.path[0] if sys.path else None
    return int(first == "" or (first is not None and os.path.exists(first) and os.path.samefile(first, os.curdir)))


@contextmanager
def _installed_only() -> Iterator[None]:
    """Import nothing from the current folder: a file there must not stand in for an installed plugin's module."""
    here, sys.path[:] = sys.path[: _starts_here()], sys.path[_starts_here() :]
    try:
        yield
    finally:
        sys.path[:0] = here


def _normal(name: str) -> str:
    """A distribution's name as installers compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_ours(dist: metadata.Distribution) -> bool:
    """Whether a damaged distribution ever wanted to be a plugin of CamForge."""
    try:
        return GROUP in (dist.read_text("entry_points.txt") or "")
    except UnicodeDecodeError as error:
        return GROUP.encode() in error.object
    except OSError:
        return False


def _plugin_classes(module: Any, entry: PluginEntryPoint) -> list[PluginClass]:
    """Ask one plugin's hooks, alone, so that a failing one is known by name."""
    if not isinstance(module, ModuleType):
        raise TypeError(f"the entry point must name a module with hooks, not {type(module).__name__} {entry.target!r}")
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    manager.check_pending()
    if not manager.get_hookcallers(module):
        raise TypeError("no hook in this module: mark functions such as camforge_extractors() with @hookimpl")
    plugin_classes = []
    for kind in KINDS:
        hook = getattr(manager.hook, f"camforge_{kind}s")
        answers = hook() or [None] * len(hook.get_hookimpls())  # pluggy leaves an answer None out
        for classes in answers:
            if not isinstance(classes, list | tuple):
                raise TypeError(f"camforge_{kind}s() must return a list of classes, got {type(classes).__name__}")
            plugin_classes += [PluginClass(kind, cls, entry.name, entry.distribution, entry.version) for cls in classes]
    return plugin_classes


def _seconds() -> float:
    """How long an entry point may take."""
    return float(os.environ.get("CAMFORGE_PLUGIN_SECONDS", SECONDS))
