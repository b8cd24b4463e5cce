"""What happens seldom: a disk that fails in a listing, things that vanish meanwhile, processes that do not lead."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from camforge.store import maintenance
from camforge.store import recipe as recipe_module
from camforge.store.maintenance import list_entries, prunable, prune
from camforge.store.recipe import digest
from camforge.store.store import Store
from camforge.training import distributed
from camforge.types import CamForgeError

Commit = Callable[..., Path]
KEY = digest({})


def fails(*_args: object, **_options: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "iterdir", fails)
    with pytest.raises(CamForgeError, match=rf"^store: cannot read {tmp_path}: Input/output error$"):
        list(list_entries(tmp_path))


def test_a_file_whose_size_the_disk_does_not_tell(
    tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = commit(Store(tmp_path))
    lstat = os.lstat
    monkeypatch.setattr(maintenance.os, "lstat", lambda path: fails() if str(path).endswith("a.txt") else lstat(path))
    with pytest.raises(CamForgeError, match=rf"^store: cannot read {entry}/a.txt: Input/output error$"):
        list(list_entries(tmp_path))


def test_what_another_run_removes_meanwhile_counts_nothing(tmp_path: Path) -> None:
    gone = tmp_path / f"network-{KEY}.unfinished"
    assert maintenance._days(gone) < 0
    assert prune([gone]) == 0


def test_an_entry_that_cannot_be_read_is_listed_so(
    tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(Store(tmp_path))
    monkeypatch.setattr(Path, "read_bytes", fails)
    assert [item.about for item in list_entries(tmp_path)] == ["cannot be read: Input/output error"]


def test_a_recipe_whose_place_the_disk_does_not_tell(
    tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    commit(store)
    lstat = os.lstat
    monkeypatch.setattr(
        recipe_module.os, "lstat", lambda path: fails() if str(path).endswith("recipe.json") else lstat(path)
    )
    with pytest.raises(CamForgeError, match=rf"^store: cannot read .*stage-{KEY}: Input/output error$"):
        store.find("stage", KEY)


def test_a_lock_of_somebody_else_is_not_removed(tmp_path: Path) -> None:
    """Such as a link in its place, or a file that only its owner may open."""
    (tmp_path / "elsewhere").touch()
    lock = tmp_path / f".network-{KEY}.lock"
    lock.symlink_to("elsewhere")
    os.utime(lock, (0, 0), follow_symlinks=False)
    assert prunable(tmp_path) == []


def test_only_the_leader_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    with Store(tmp_path / "store").lock("network", KEY):
        assert not (tmp_path / "store").exists()


def test_a_temporary_folder_goes_by_itself_or_when_nothing_was_written_for_a_day(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.temporary_dir() as folder:
        (folder / "maps").write_text("x")
        os.utime(folder, (0, 0))
        assert list(list_entries(tmp_path)) == []
        assert prunable(tmp_path) == []  # a pass of days is at work in it
        os.utime(folder / "maps", (0, 0))
        assert prunable(tmp_path) == [folder]
    assert list(tmp_path.iterdir()) == []
