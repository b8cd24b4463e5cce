"""The store as a person sees it: what lies there, what is damaged, what can go."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from camforge.store.store import RECIPE, Store
from camforge.types import CamForgeError

DAY = 86400.0
UNFINISHED = 1.0  # days that the leftovers of a stage are kept: its run may go on tomorrow


@dataclass(frozen=True)
class StoreEntry:
    """One finished stage. ``size`` in bytes; ``about`` what of its recipe a person would ask for."""

    name: str
    size: int
    days: float
    about: str


def list_entries(folder: Path) -> Iterator[StoreEntry]:
    """Every finished stage. Raises CamForgeError where there is no store."""
    for entry in _store(folder).entries():
        yield StoreEntry(entry.name, _size(entry), _days(entry), _about(entry))


def damaged(folder: Path) -> dict[str, str]:
    """{stage: what is wrong} of all whose files are not what their checksums say."""
    store = _store(folder)
    problems = ((entry.name, store.problem(entry)) for entry in store.entries())
    return {name: problem for name, problem in problems if problem}


def prunable(folder: Path, older_than: float | None = None) -> list[Path]:
    """Damaged stages, leftovers older than a day, and finished stages older than ``older_than`` days."""
    store = _store(folder)
    wrong = damaged(folder)
    old = [
        entry for entry in store.entries()
        if entry.name in wrong or (older_than is not None and _days(entry) > older_than)
    ]  # fmt: skip
    return old + [path for path in store.leftovers() if _days(path) > UNFINISHED and not _at_work(path)]


def prune(doomed: Sequence[Path]) -> int:
    """Remove them; the bytes that were freed."""
    freed = 0
    for path in doomed:
        freed += _size(path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return freed


def _store(folder: Path) -> Store:
    if not folder.is_dir():
        raise CamForgeError(f"there is no store in {folder}: run an experiment first, or name another folder")
    return Store(folder)


def _size(path: Path) -> int:
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file()) if path.is_dir() else 0


def _days(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / DAY


def _at_work(path: Path) -> bool:
    """Whether a lock is held now."""
    if not path.name.endswith(".lock"):
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _about(entry: Path) -> str:
    """The plugins of a recipe, such as "extractor gradcam"."""
    try:
        recipe: dict[str, Any] = json.loads((entry / RECIPE).read_text("utf-8"))["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return "unreadable"
    named = {kind: part.get("name") for kind, part in recipe.items() if isinstance(part, dict) and part.get("name")}
    metrics = [part.get("name") for part in recipe.get("metrics", [])]
    message = [f"{kind} {name}" for kind, name in named.items()] + (
        [f"metrics {', '.join(metrics)}"] if metrics else []
    )
    return "; ".join(message)
