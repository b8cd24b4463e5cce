"""The store as a person sees it: what lies there, what is damaged, what can go."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from camforge.store.recipe import DamagedEntry, check, read_recipe
from camforge.store.store import remove
from camforge.types import CamForgeError

DAY = 86400.0
UNFINISHED = 1.0  # days that the leftovers of a stage are kept: its run may go on tomorrow

_ENTRY = r"(?P<entry>[a-z][a-z_]*-[0-9a-f]{16})"
_KINDS = {
    "finished": re.compile(_ENTRY),
    "damaged": re.compile(_ENTRY + r"\.damaged-\d+"),
    "unfinished": re.compile(_ENTRY + r"\.unfinished"),
    "draft": re.compile(r"\." + _ENTRY + r"\.[0-9a-f]{32}"),
    "temporary": re.compile(r"\.temporary\.[0-9a-f]{32}"),
    "lock": re.compile(r"\." + _ENTRY + r"(\.place)?\.lock"),
}
"""How the store names what it makes. Anything else in its folder is somebody else's, and never removed."""


@dataclass(frozen=True)
class StoreEntry:
    """A finished stage, or what else lies in the store. ``size`` in bytes; ``about`` what made it, or what it is."""

    name: str
    size: int
    days: float
    about: str


@dataclass(frozen=True)
class Finding:
    """A stage that is damaged, or cannot be read: then its state is unknown."""

    name: str
    kind: Literal["damaged", "unreadable"]
    problem: str


def list_entries(folder: Path) -> Iterator[StoreEntry]:
    """What lies in the store but locks, drafts and temporary folders. Raises CamForgeError where there is none."""
    for path in _contents(folder):
        if kind_of(path) not in ("draft", "temporary", "lock"):
            yield StoreEntry(path.name, _size(path), _days(path), _about(path))


def verify(folder: Path) -> Iterator[Finding]:
    """What is wrong with finished stages, one after another; those that were moved aside are not looked at."""
    for entry in _of_kind(folder, "finished"):
        try:
            check(entry)
        except DamagedEntry as damage:
            yield Finding(entry.name, "damaged", str(damage))
        except OSError as error:
            yield Finding(entry.name, "unreadable", f"cannot be read: {error.strerror or error}")


def damaged(folder: Path) -> dict[str, str]:
    """{stage: what is wrong} of all whose files are not what their checksums say."""
    return {finding.name: finding.problem for finding in verify(folder) if finding.kind == "damaged"}


def prunable(folder: Path, older_than: float | None = None) -> list[Path]:
    """Damaged stages, leftovers older than a day, and finished stages older than ``older_than`` days."""
    wrong = damaged(folder)
    doomed = [
        entry for entry in _of_kind(folder, "finished")
        if entry.name in wrong or (older_than is not None and _days(entry) > older_than)
    ]  # fmt: skip
    doomed += _of_kind(folder, "damaged")
    left = _of_kind(folder, "unfinished", "draft", "temporary", "lock")
    return doomed + [path for path in left if _idle_days(path) > UNFINISHED and not _at_work(path)]


def prune(doomed: Sequence[Path]) -> int:
    """Remove them; the bytes that were freed. Raises CamForgeError where the disk refuses."""
    freed = 0
    for path in doomed:
        size = _size(path)
        try:
            remove(path)
        except OSError as error:
            raise CamForgeError(f"store: cannot remove {path}: {error.strerror or error}") from error
        freed += size
    return freed


def kind_of(path: Path) -> str | None:
    """ "finished", "damaged", "unfinished", "draft", "temporary" or "lock"; None: not a thing of the store."""
    return next((kind for kind, pattern in _KINDS.items() if pattern.fullmatch(path.name)), None)


def _contents(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise CamForgeError(f"there is no store in {folder}: run an experiment first, or name another folder")
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise CamForgeError(f"store: cannot read {folder}: {error.strerror or error}") from error


def _of_kind(folder: Path, *kinds: str) -> list[Path]:
    return [path for path in _contents(folder) if kind_of(path) in kinds]


def _size(path: Path) -> int:
    """Bytes of all files below; what another run removes meanwhile counts nothing."""
    sizes = 0
    for parent, _, names in os.walk(path):
        for name in names:
            sizes += _status(os.path.join(parent, name)).st_size
    return sizes


def _idle_days(path: Path) -> float:
    """Since anything in a folder was written last."""
    inside = (_days(Path(parent, name)) for parent, _, names in os.walk(path) for name in names)
    return min(_days(path), min(inside, default=_days(path)))


def _days(path: Path) -> float:
    return (time.time() - _status(path).st_mtime) / DAY


_GONE = os.stat_result((0, 0, 0, 0, 0, 0, 0, 2**62, 2**62, 2**62))
"""For a file that has gone meanwhile: size 0, and younger than any limit."""


def _status(path: str | Path) -> os.stat_result:
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return _GONE
    except OSError as error:
        raise CamForgeError(f"store: cannot read {path}: {error.strerror or error}") from error


def _at_work(path: Path) -> bool:
    """Whether a run holds the lock of the stage that this was left of, or of its place."""
    found = next(match for pattern in _KINDS.values() if (match := pattern.fullmatch(path.name))).groupdict()
    locks = (path.with_name(f".{found.get('entry')}{ending}") for ending in (".lock", ".place.lock"))
    return any(_is_held(lock) for lock in locks if lock.is_file())


def _is_held(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # another person's: not ours to remove
        return True


def _about(path: Path) -> str:
    """The plugins of a recipe, such as "extractor gradcam"; of anything else what it is."""
    kind = kind_of(path)
    if kind != "finished":
        return {"damaged": "damaged, moved aside", "unfinished": "unfinished"}.get(kind or "", "not of this store")
    try:
        return _plugins(read_recipe(path).recipe)
    except DamagedEntry as damage:
        return f"damaged: {damage}"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _plugins(recipe: Mapping[str, Any]) -> str:
    named = {kind: part["name"] for kind, part in recipe.items() if isinstance(part, dict) and "name" in part}
    metrics = [part["name"] for part in recipe.get("metrics", ())]
    return "; ".join(
        [f"{kind} {name}" for kind, name in named.items()] + [f"metrics {', '.join(metrics)}"] * bool(metrics)
    )
