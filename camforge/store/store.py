"""Finished stages, kept under a hash of everything that determines them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from filelock import FileLock

from camforge.files import checksum, write_atomically
from camforge.training import distributed
from camforge.types import CamForgeError

RECIPE = "recipe.json"


def digest(value: Any) -> str:
    """A short hash of plain JSON values, the same in every process."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Store:
    """A folder of entries ``<stage>-<key>/``: the stage's files and a recipe with their checksums.

    An entry is written under another name and renamed when it is whole; a damaged one is made anew, never used.
    Several runs may share a store: who needs a stage that another is making waits for it. Of the processes of one
    run only the leader reads and writes here; all learn what it found.
    """

    root: Path
    tell: Callable[[str], None] = lambda _line: None
    not_before: float = 0.0
    """Entries older than this (seconds since the epoch) are made anew: a run that starts afresh."""

    def entry(self, stage: str, key: str) -> Path:
        """Where a finished entry lies."""
        return self.root / f"{stage}-{key}"

    def scratch_dir(self, stage: str, key: str) -> Path:
        """A folder for what an unfinished stage keeps between runs (a checkpoint)."""
        return distributed.on_rank_zero(lambda: self._scratch_dir(self.root / f"{stage}-{key}.unfinished"))

    def _scratch_dir(self, folder: Path) -> Path:
        if folder.is_dir() and folder.stat().st_mtime < self.not_before:
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def find(self, stage: str, key: str) -> Path | None:
        """The finished entry, if it is there and every file has its checksum."""
        return distributed.on_rank_zero(lambda: self._find(self.entry(stage, key)))

    def _find(self, entry: Path) -> Path | None:
        if not entry.is_dir() or entry.stat().st_mtime < self.not_before:
            return None
        problem = self.problem(entry)
        if problem:
            self.tell(f"store: {entry.name} is damaged ({problem}) and is made anew")
            shutil.rmtree(entry)
            return None
        return entry

    def commit(self, stage: str, key: str, recipe: Mapping[str, Any], write: Callable[[Path], None]) -> Path:
        """Have ``write(folder)`` make the entry's files; they appear under their name all at once."""
        return distributed.on_rank_zero(lambda: self._commit(self.entry(stage, key), stage, key, recipe, write))

    def _commit(
        self, entry: Path, stage: str, key: str, recipe: Mapping[str, Any], write: Callable[[Path], None]
    ) -> Path:
        draft = self.root / f".{entry.name}.{uuid4().hex}"
        try:
            draft.mkdir(parents=True)
            write(draft)
            sums = {path.name: checksum(path) for path in sorted(draft.iterdir())}
            write_json(draft / RECIPE, {"stage": stage, "key": key, "recipe": recipe, "files": sums})
            self._place(draft, entry)
            shutil.rmtree(self.root / f"{entry.name}.unfinished", ignore_errors=True)
        except OSError as error:
            raise CamForgeError(f"store: cannot write {entry}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return entry

    def _place(self, draft: Path, entry: Path) -> None:
        """Under a lock of its own: two runs that share the store may finish the same stage at the same time."""
        with FileLock(self.root / f".{entry.name}.place.lock"):
            young = entry.is_dir() and entry.stat().st_mtime >= self.not_before
            if young and not self.problem(entry):
                return  # another run's; a reader may have it open
            shutil.rmtree(entry, ignore_errors=True)
            os.replace(draft, entry)

    def problem(self, entry: Path) -> str:
        """What is wrong with an entry; empty where every file is whole."""
        try:
            sums = json.loads((entry / RECIPE).read_text())["files"]
            wrong = [name for name, expected in sums.items() if checksum(entry / name) != expected]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"{type(error).__name__}: {error}"
        return f"checksum of {', '.join(wrong)}" if wrong else ""

    def entries(self) -> Iterator[Path]:
        """Every finished entry, by name."""
        if self.root.is_dir():
            yield from sorted(path for path in self.root.iterdir() if (path / RECIPE).is_file() and path.name[0] != ".")

    def leftovers(self) -> Iterator[Path]:
        """What unfinished stages left: drafts, checkpoints, locks."""
        if self.root.is_dir():
            yield from sorted(p for p in self.root.iterdir() if p.name[0] == "." or p.name.endswith(".unfinished"))

    def lock(self, stage: str, key: str) -> AbstractContextManager[Any]:
        """Held while a costly stage is made, so that no other run makes the same at the same time."""
        if distributed.rank() > 0:
            return nullcontext()
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / f".{stage}-{key}.lock")


def write_tensors(path: Path, value: Any) -> None:
    """In torch's format. A full disk raises OSError; given the path alone, torch raises an error of its own."""
    with path.open("wb") as file:
        torch.save(value, file)


def write_json(path: Path, value: Any) -> None:
    """A JSON file, renamed into place when it is whole."""
    write_atomically(path, (json.dumps(value, indent=1) + "\n").encode())
