"""Everything that an experiment file comes to, defaults included, with where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camforge.config.load import Loaded, load
from camforge.config.locations import SourceLocation
from camforge.config.schema import SHARED
from camforge.host.errors import KeyPath


@dataclass(frozen=True)
class ShownValue:
    """One single value. ``origin``: its file and line, ``--set``, or ``default of …`` and the plugin it belongs to."""

    key: str
    value: Any
    origin: str

    @property
    def written(self) -> bool:
        """Whether a file or the command line gives it; otherwise it is a default."""
        return not self.origin.startswith("default")


def shown_values(path: str | Path, overrides: Sequence[str] = ()) -> list[ShownValue]:
    """Every value of an experiment: those that are written in the file's order, then the defaults beside them.

    A section that arms share is told once, at the top, as it may be written. Raises CamForgeError with every mistake
    of the file.
    """
    loaded = load(path, overrides)
    return list(_values(_unshared(loaded), loaded.config, (), loaded.location, "default"))


def differences(first: Sequence[ShownValue], second: Sequence[ShownValue]) -> Iterator[tuple[str, ShownValue]]:
    """("-", a value of the first) and ("+", a value of the second) wherever the two differ, key by key.

    Of an arm or a plugin that only one of them has, the defaults are left out: what is written says what it is.
    """
    before, after = ({shown.key: shown for shown in values} for values in (first, second))
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None:
            yield from (("-", old), ("+", new)) if old.value != new.value else ()
        else:
            yield from ((sign, one) for sign, one in (("-", old), ("+", new)) if one is not None and one.written)


def _unshared(loaded: Loaded) -> dict[str, Any]:
    """The experiment as plain values, with each shared section at the top instead of in every arm that uses it."""
    values: dict[str, Any] = loaded.experiment.model_dump(mode="json")
    written = loaded.config["arms"]
    for section in SHARED:
        users = [name for name in values["arms"] if section not in (written[name] or {})]
        if section in loaded.config and users:
            for name in users:
                values[section] = values["arms"][name].pop(section)
    return values


def _values(
    value: Any, written: Any, path: KeyPath, place: SourceLocation | None, default: str
) -> Iterator[ShownValue]:
    """``written``: what the file says here, ``place``: where, None: nowhere; ``default``: what to call a default."""
    if isinstance(value, dict) and value:
        plugin = value.get("name") if path else None
        own = f"default of {plugin}" if isinstance(plugin, str) else default
        given = written if isinstance(written, Mapping) else {"name": written}  # a plugin by its name alone
        known = [key for key in given if key in value]
        for key in dict.fromkeys([*known, *value]):
            inside = place.find((key,)) if place is not None and key in given else None
            yield from _values(value[key], given.get(key), (*path, key), inside, default if key == "name" else own)
    elif isinstance(value, list) and any(isinstance(member, dict | list) for member in value):
        for i, member in enumerate(value):
            inside = place.find((i,)) if place is not None else None
            yield from _values(member, written[i] if inside else None, (*path, i), inside, default)
    else:
        origin = default if place is None else str(place)
        yield ShownValue(".".join(map(str, path)), value, origin)
