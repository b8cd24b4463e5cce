"""``--set a.b=c``: single values set from the command line, after the file and its bases."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from camforge.config.locations import Key, SourceLocation
from camforge.config.schema import SHARED
from camforge.config.sources import plain_yaml
from camforge.interfaces.base import choices
from camforge.types import CamForgeError


def apply(
    overrides: Sequence[str], config: dict[str, Any], location: SourceLocation
) -> tuple[dict[str, Any], SourceLocation]:
    """The config and its places after every ``a.b=value``; values are yaml, a number in the path is a place in a list.

    A section that an arm shares with the others becomes the arm's own before a value inside it is set.
    """
    config = copy.deepcopy(config)
    for override in overrides:
        label = f"--set {override}"
        key, equals, text = override.partition("=")
        if not equals or not all(key.split(".")):
            raise CamForgeError(f"{label}: write --set key.of.option=value")
        value, _ = plain_yaml(text, label)
        path = key.split(".")
        location = _own_section(path, config, location)
        location = location.put(_put(config, path, value, label), SourceLocation("--set"))
    return config, location


def _own_section(path: Sequence[str], config: dict[str, Any], location: SourceLocation) -> SourceLocation:
    """``arms.<name>.trainer.…`` of an arm that shares its trainer: give the arm a copy of it."""
    if len(path) < 4 or path[0] != "arms" or path[2] not in SHARED or path[2] not in config:
        return location
    arms = config.get("arms")
    arm = arms.get(path[1]) if isinstance(arms, dict) else None
    if not isinstance(arm, dict) or path[2] in arm:
        return location
    arm[path[2]] = copy.deepcopy(config[path[2]])
    return location.put(path[:3], location.find(path[2:3]))


def _put(config: dict[str, Any], path: Sequence[str], value: Any, label: str) -> list[Key]:
    """Set one value; returns the path with places in lists as numbers."""
    here: Any = config
    keys: list[Key] = []
    for depth, part in enumerate(path):
        key = _key(here, part, path[:depth], label)
        keys.append(key)
        if depth == len(path) - 1:
            here[key] = value
        else:
            here[key] = _container(here, key, tuple(path[: depth + 1]), label)
            here = here[key]
    return keys


def _key(container: Any, part: str, before: Sequence[str], label: str) -> Key:
    if isinstance(container, dict):
        return part
    if not part.isdigit() or int(part) >= len(container):
        places = f"0 to {len(container) - 1}" if container else "none: it is empty"
        raise CamForgeError(f"{label}: {'.'.join(before)} is a list; its places are {places}")
    return int(part)


def _container(here: Any, key: Key, path: tuple[str, ...], label: str) -> Any:
    """What stands at ``key``, to set a value in: a plugin's bare name becomes {"name": …}, nothing a new section."""
    if path[0] == "arms" and len(path) == 2 and key not in here:
        raise CamForgeError(f"{label}: there is no arm {key!r}; {choices(key, here, 'arms')}")
    found = here.get(key) if isinstance(here, dict) else here[key]
    if isinstance(found, str):
        return {"name": found}
    if found is None:
        return {}
    if not isinstance(found, dict | list):
        raise CamForgeError(f"{label}: {'.'.join(path)} is {found!r}, it holds no options")
    return found
