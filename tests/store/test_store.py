"""Finished stages are whole or absent."""

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from camforge.store.recipe import digest
from camforge.store.store import Store
from camforge.types import CamForgeError

Commit = Callable[..., Path]
KEY = digest({})


def test_an_entry_is_found_with_its_files(tmp_path: Path, commit: Commit) -> None:
    store = Store(tmp_path)
    key = digest({"why": 1})
    assert store.find("stage", key) is None
    entry = commit(store, {"why": 1})
    assert store.find("stage", key) == entry == tmp_path / f"stage-{key}"
    assert (entry / "a.txt").read_text() == "alpha"
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".stage-{key}.place.lock", f"stage-{key}"]


def test_a_key_is_the_digest_of_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not the digest of the recipe"):
        Store(tmp_path).commit("stage", "0" * 16, {}, lambda _draft: None)
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert digest({10: "a", 9: "b"}) == digest(json.loads(json.dumps({10: "a", 9: "b"})))
    assert digest({"a": (1, 2)}) == digest({"a": [1, 2]}) == "0bf464f8d802f582"


def test_a_stage_that_fails_while_writing_leaves_nothing(tmp_path: Path, commit: Commit) -> None:
    def half(draft: Path) -> None:
        (draft / "a.txt").write_text("alpha")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        commit(Store(tmp_path), {}, half)
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_cannot_be_written_keeps_its_checkpoint(tmp_path: Path, commit: Commit) -> None:
    def full(_draft: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = Store(tmp_path)
    checkpoint = store.scratch_dir("stage", KEY) / "checkpoint.pth"
    checkpoint.write_text("hours of work")
    with pytest.raises(CamForgeError, match=rf"^store: cannot write .*stage-{KEY}: No space left on device$"):
        commit(store, {}, full)
    assert [path.name for path in tmp_path.iterdir()] == [f"stage-{KEY}.unfinished"]
    assert (store.scratch_dir("stage", KEY) / "checkpoint.pth").read_text() == "hours of work"
    commit(store)
    assert not checkpoint.exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, commit: Commit) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file")
    with pytest.raises(CamForgeError, match=rf"^store: cannot write .*stage-{KEY}: File exists$"):
        commit(store)
    with pytest.raises(CamForgeError, match=r"^store: cannot write .*unfinished: File exists$"):
        store.scratch_dir("stage", KEY)
    with pytest.raises(CamForgeError, match=r"^store: cannot lock .*\.lock: File exists$"), store.lock("stage", KEY):
        pass
    assert store.find("stage", KEY) is None


def test_a_fresh_run_takes_only_what_it_made(tmp_path: Path, commit: Commit) -> None:
    """By its name, not by a clock: an entry of tomorrow is old, too."""
    entry = commit(Store(tmp_path))
    os.utime(entry, (2**33, 2**33))
    fresh = Store(tmp_path, fresh="1")
    assert fresh.find("stage", KEY) is None
    assert Store(tmp_path).find("stage", KEY) == entry
    commit(fresh, {}, lambda draft: (draft / "b.txt").write_text("beta") and None)
    assert [path.name for path in sorted(entry.iterdir())] == ["b.txt", "recipe.json"]
    assert fresh.find("stage", KEY) == Store(tmp_path).find("stage", KEY) == entry
    assert Store(tmp_path, fresh="2").find("stage", KEY) is None
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".stage-{KEY}.place.lock", f"stage-{KEY}"]


def test_a_fresh_run_begins_anew_and_goes_on_with_its_own(tmp_path: Path) -> None:
    (Store(tmp_path).scratch_dir("stage", KEY) / "checkpoint").write_text("old")
    fresh = Store(tmp_path, fresh="1")
    folder = fresh.scratch_dir("stage", KEY)
    assert [path.name for path in folder.iterdir()] == ["fresh"]
    (folder / "checkpoint").write_text("new")
    assert (fresh.scratch_dir("stage", KEY) / "checkpoint").read_text() == "new"
    assert (Store(tmp_path).scratch_dir("stage", KEY) / "checkpoint").read_text() == "new"
    assert not (Store(tmp_path, fresh="2").scratch_dir("stage", KEY) / "checkpoint").exists()


def test_an_entry_that_another_run_placed_first_stays(tmp_path: Path, commit: Commit) -> None:
    """A reader may have its files open."""
    store = Store(tmp_path)

    def slow(draft: Path) -> None:
        commit(store)
        (draft / "a.txt").write_text("late")

    assert (commit(store, {}, slow) / "a.txt").read_text() == "alpha"
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".stage-{KEY}.place.lock", f"stage-{KEY}"]


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    from filelock import FileLock, Timeout

    store = Store(tmp_path / "new")
    with store.lock("stage", KEY), pytest.raises(Timeout):
        FileLock(tmp_path / "new" / f".stage-{KEY}.lock", timeout=0).acquire()
    with FileLock(tmp_path / "new" / f".stage-{KEY}.lock", timeout=0):
        pass


def test_links_planted_in_a_shared_folder_are_not_followed(tmp_path: Path, commit: Commit) -> None:
    """A lock is refused, an unfinished stage's folder is made anew; what they point at stays."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("precious")
    root = tmp_path / "store"
    root.mkdir()
    store = Store(root)
    (root / f"stage-{KEY}.unfinished").symlink_to(elsewhere)
    (store.scratch_dir("stage", KEY) / "file").write_text("checkpoint")
    (root / f".stage-{KEY}.lock").symlink_to(elsewhere / "file")
    with pytest.raises(CamForgeError, match=r"cannot lock .*symbolic link"), store.lock("stage", KEY):
        pass
    commit(store)
    assert (elsewhere / "file").read_text() == "precious"


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_the_umask_says_who_may_read(tmp_path: Path, commit: Commit, umask: int) -> None:
    before = os.umask(umask)
    try:
        entry = commit(Store(tmp_path))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (entry, *entry.iterdir())}
    assert modes == {entry.name: 0o777 & ~umask, "a.txt": 0o666 & ~umask, "recipe.json": 0o666 & ~umask}
