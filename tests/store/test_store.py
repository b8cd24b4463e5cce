"""Finished stages are whole or absent."""

import errno
import os
from pathlib import Path

import pytest

from camforge.store.store import Store, digest
from camforge.types import CamForgeError


def write(draft: Path) -> None:
    (draft / "a.txt").write_text("alpha")


def test_an_entry_is_found_with_its_files(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.find("stage", "k") is None
    entry = store.commit("stage", "k", {"why": 1}, write)
    assert store.find("stage", "k") == entry
    assert (entry / "a.txt").read_text() == "alpha"


def test_a_stage_that_fails_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def half(draft: Path) -> None:
        write(draft)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path).keep("stage", "k", {}, half)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("harm", ["flip", "cut", "delete", "recipe"])
def test_a_damaged_entry_is_not_taken(tmp_path: Path, harm: str) -> None:
    told: list[str] = []
    store = Store(tmp_path, told.append)
    entry = store.commit("stage", "k", {}, write)
    file = entry / ("recipe.json" if harm == "recipe" else "a.txt")
    if harm == "delete":
        file.unlink()
    else:
        file.write_text({"flip": "alphb", "cut": "alp", "recipe": "{"}[harm])
    assert store.find("stage", "k") is None
    assert told
    assert "stage-k is damaged" in told[0]
    assert store.commit("stage", "k", {}, write) == entry
    assert store.find("stage", "k") == entry


def test_a_stage_that_cannot_be_written_keeps_its_checkpoint(tmp_path: Path) -> None:
    def full(_draft: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = Store(tmp_path)
    checkpoint = store.scratch_dir("stage", "k") / "checkpoint.pth"
    checkpoint.write_text("hours of work")
    with pytest.raises(CamForgeError, match=r"store: cannot write .*stage-k: No space left on device"):
        store.commit("stage", "k", {}, full)
    assert [path.name for path in tmp_path.iterdir()] == ["stage-k.unfinished"]
    assert checkpoint.read_text() == "hours of work"
    store.commit("stage", "k", {}, write)
    assert not checkpoint.exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CamForgeError, match=r"store: cannot write .*stage-k: Not a directory"):
        Store(tmp_path / "file").keep("stage", "k", {}, write)


def test_keys_depend_on_values_not_on_their_order() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_a_fresh_run_makes_older_entries_anew(tmp_path: Path) -> None:
    entry = Store(tmp_path).keep("stage", "k", {}, write)
    fresh = Store(tmp_path, not_before=entry.stat().st_mtime + 1)
    assert fresh.find("stage", "k") is None
    assert Store(tmp_path).find("stage", "k") == entry
    fresh.keep("stage", "k", {}, lambda draft: (draft / "b.txt").write_text("beta") and None)
    assert [path.name for path in sorted(entry.iterdir())] == ["b.txt", "recipe.json"]
