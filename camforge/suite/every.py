"""Every installed plugin joins: what a leaderboard's experiments are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from camforge.config.load import examine, read
from camforge.host.registry import registry
from camforge.interfaces import Plugin
from camforge.types import CamForgeError

Joining = Literal["extractor", "metric"]


def every(kind: Joining) -> list[str]:
    """The installed plugins of a kind that can be built without being told anything, by name."""
    return sorted(name for name in registry().plugins[kind] if _built(kind, name) is not None)


def overrides_for_every(kinds: Sequence[Joining], config: Mapping[str, Any]) -> list[str]:
    """``key=value`` strings after which an experiment has an arm per extractor, and every metric.

    Its own arms and metrics stay in front, with their options.
    """
    makers: dict[str, Callable[[Mapping[str, Any]], str]] = {"extractor": _arms, "metric": _metrics}
    return [makers[kind](config) for kind in kinds]


def without_unfit(path: Path, overrides: Sequence[str]) -> list[str]:
    """The strings, and one more that leaves out the arms that an experiment's network cannot serve."""
    _, error = examine(path, overrides)
    unfit = {str(m.path[1]) for m in (error.mistakes if error else ()) if m.path[:1] == ("arms",) and len(m.path) > 1}
    arms = read(path, overrides)[0].get("arms") or {}
    kept = {name: arm for name, arm in arms.items() if name not in unfit or not _joined(arm, name)}
    return [*overrides, f"arms={json.dumps(kept)}"] if unfit else list(overrides)


def _joined(arm: Any, name: str) -> bool:
    """Whether an arm came with ``every``: mistakes in an experiment's own arms are told, not left out."""
    return bool(arm == {"extractor": {"name": name}})


def _arms(config: Mapping[str, Any]) -> str:
    own = dict(config.get("arms") or {})
    return f"arms={json.dumps(own | {name: {'extractor': {'name': name}} for name in every('extractor')})}"


def _metrics(config: Mapping[str, Any]) -> str:
    own = [{"name": metric} if isinstance(metric, str) else dict(metric) for metric in config.get("metrics", [])]
    named = {metric.get("name") for metric in own}
    return f"metrics={json.dumps([*own, *({'name': name} for name in every('metric') if name not in named)])}"


def _built(kind: str, name: str) -> Plugin | None:
    try:
        return registry().build(kind, name)
    except (CamForgeError, ValidationError):
        return None
