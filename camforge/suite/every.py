"""Every installed plugin joins: what a leaderboard's experiments are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import ValidationError

from camforge.host.registry import registry
from camforge.interfaces import Plugin
from camforge.types import CamForgeError

Joining = Literal["extractor", "metric"]


def every(kind: Joining) -> list[str]:
    """The installed plugins of a kind that can be built without being told anything, by name."""
    return sorted(name for name in registry().plugins[kind] if _built(kind, name) is not None)


def overrides_for_every(kinds: Sequence[Joining], config: Mapping[str, Any]) -> list[str]:
    """``key=value`` strings after which an experiment has an arm per extractor, and every metric.

    Its own arms and metrics stay in front, with their options. A metric whose numbers have the names of another's is
    left out.
    """
    makers: dict[str, Callable[[Mapping[str, Any]], str]] = {"extractor": _arms, "metric": _metrics}
    return [makers[kind](config) for kind in kinds]


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
