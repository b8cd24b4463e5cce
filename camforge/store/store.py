"""Finished stages, kept under a hash of everything that determines them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from filelock import FileLock

from camforge.files import DiskError, make_folder, sync_folder, write_json
from camforge.store.recipe import DamagedEntry, Recipe, check, digest, seal
from camforge.training import distributed

__all__ = ["Store", "digest", "write_json", "write_tensors"]

MADE_BY = "fresh"
"""The file of an unfinished stage that says which fresh run began it."""


@dataclass(frozen=True)
class Store:
    """A folder of entries ``<stage>-<key>/``: the stage's files and a recipe with their checksums.

    The key is the digest of the recipe. An entry is written under another name, flushed to the disk and renamed when
    it is whole; a damaged one is moved aside and made anew, never used. Where the disk does not answer, nothing
    changes, and a DiskError says so. Several runs may share a store: who needs a stage that another is making waits
    for it. Of the processes of one run only the leader reads and writes here; all learn what it found.
    """

    root: Path
    tell: Callable[[str], None] = lambda _line: None
    fresh: str = ""
    """The id of a run that starts afresh: it takes only what it made itself."""

    def entry(self, stage: str, key: str) -> Path:
        """Where a finished entry lies."""
        return self.root / f"{stage}-{key}"

    def scratch_dir(self, stage: str, key: str) -> Path:
        """A folder for what an unfinished stage keeps between runs (a checkpoint)."""
        return distributed.on_rank_zero(lambda: self._scratch_dir(self.root / f"{stage}-{key}.unfinished"))

    def _scratch_dir(self, folder: Path) -> Path:
        with _disk_errors("write", folder):
            if folder.is_symlink() or (self.fresh and not _is_of(folder, self.fresh)):
                remove(folder)
            make_folder(folder)
            if self.fresh:
                (folder / MADE_BY).write_text(self.fresh)
        return folder

    def find(self, stage: str, key: str) -> Path | None:
        """The finished entry, if it is there and every file has its checksum."""
        return distributed.on_rank_zero(lambda: self._find(self.entry(stage, key)))

    def _find(self, entry: Path) -> Path | None:
        with _disk_errors("read", entry):
            try:
                recipe = check(entry)
            except DamagedEntry:
                with self._placing(entry):  # looked at again: another run may just have made it anew
                    recipe = self._whole_or_aside(entry)
        return entry if recipe is not None and self._counts(recipe) else None

    def _counts(self, recipe: Recipe) -> bool:
        return self.fresh in ("", recipe.fresh)

    def commit(self, stage: str, key: str, recipe: Mapping[str, Any], write: Callable[[Path], None]) -> Path:
        """Have ``write(folder)`` make the entry's files; they appear under their name all at once."""
        if key != digest(recipe):
            raise ValueError(f"store: {key} is not the digest of the recipe")
        return distributed.on_rank_zero(lambda: self._commit(self.entry(stage, key), stage, key, recipe, write))

    def _commit(
        self, entry: Path, stage: str, key: str, recipe: Mapping[str, Any], write: Callable[[Path], None]
    ) -> Path:
        draft = self._unused(entry)
        try:
            with _disk_errors("write", entry):
                make_folder(draft)
                write(draft)
                seal(draft, stage, key, recipe, self.fresh)
                self._place(draft, entry)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(self.root / f"{entry.name}.unfinished", ignore_errors=True)
        return entry

    def _place(self, draft: Path, entry: Path) -> None:
        """Under a lock of its own: two runs that share the store may finish the same stage at the same time."""
        with self._placing(entry):
            recipe = self._whole_or_aside(entry)
            if recipe is not None and self._counts(recipe):
                return  # another run's; a reader may have it open
            old = self._unused(entry)
            if recipe is not None:
                os.rename(entry, old)
            os.rename(draft, entry)
            sync_folder(self.root)
        shutil.rmtree(old, ignore_errors=True)

    def _whole_or_aside(self, entry: Path) -> Recipe | None:
        """The recipe of a whole entry; a damaged one gets a name under which nothing is looked for."""
        try:
            return check(entry)
        except DamagedEntry as damage:
            names = (entry.with_name(f"{entry.name}.damaged-{number}") for number in count(1))
            aside = next(name for name in names if not os.path.lexists(name))
            os.rename(entry, aside)
            self.tell(f"store: {entry.name} is damaged ({damage}): it is now {aside.name}, and is made anew")
            return None

    def _unused(self, entry: Path) -> Path:
        """A name for an entry that is not in its place yet, or no longer."""
        return self.root / f".{entry.name}.{uuid4().hex}"

    @contextmanager
    def temporary_dir(self) -> Iterator[Path]:
        """A folder on the store's disk for what is too large for memory; gone at the end."""
        folder = self._unused(self.root / "temporary")
        try:
            with _disk_errors("write", folder):
                folder.mkdir(parents=True)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _placing(self, entry: Path) -> Iterator[None]:
        with _locked(self.root / f".{entry.name}.place.lock"):
            yield

    @contextmanager
    def lock(self, stage: str, key: str) -> Iterator[None]:
        """Held while a costly stage is made, so that no other run makes the same at the same time."""
        if distributed.rank() > 0:
            yield
            return
        with _locked(self.root / f".{stage}-{key}.lock"):
            yield


@contextmanager
def _disk_errors(verb: str, entry: Path) -> Iterator[None]:
    """An error of the disk as one line that names the entry."""
    try:
        yield
    except OSError as error:
        raise DiskError(f"store: cannot {verb} {entry}: {error.strerror or error}") from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = FileLock(path)
    try:
        make_folder(path.parent)
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        message = getattr(error, "strerror", None) or str(error)
        raise DiskError(f"store: cannot lock {path}: {message}") from error
    try:
        yield
    finally:
        lock.release()


def _is_of(folder: Path, fresh: str) -> bool:
    """Whether the fresh run of that id began this unfinished stage."""
    try:
        return (folder / MADE_BY).read_text() == fresh
    except FileNotFoundError:
        return False


def remove(path: Path) -> None:
    """Whatever stands there, but nothing behind a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_tensors(path: Path, value: Any) -> None:
    """In torch's format. A full disk raises OSError; given the path alone, torch raises an error of its own."""
    with path.open("wb") as file:
        torch.save(value, file)
