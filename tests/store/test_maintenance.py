"""What lies in a store is listed as what it is; what the store did not make is never removed."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from camforge.store.maintenance import DAY, list_entries, prunable, prune, verify
from camforge.store.recipe import digest
from camforge.store.store import Store
from camforge.types import CamForgeError

Commit = Callable[..., Path]
KEY = digest({})


def aged(path: Path, days: float) -> Path:
    """The path, as old as that."""
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def leftovers(folder: Path) -> list[Path]:
    """The checkpoints, the draft and the lock of one network's training."""
    names = f"network-{KEY}.unfinished", f".network-{KEY}.{'0' * 32}", f".network-{KEY}.lock"
    return [folder / name for name in names]


def test_entries_say_what_made_them(tmp_path: Path, commit: Commit) -> None:
    plain = commit(Store(tmp_path), {"seed": 0})
    recipe = {"extractor": {"name": "gradcam"}, "view": {"outputs": 2}, "metrics": [{"name": "miou"}, {"name": "pxap"}]}
    entry = commit(Store(tmp_path), recipe)
    (tmp_path / f"network-{KEY}.unfinished").mkdir()
    (tmp_path / f"network-{KEY}.damaged-7").mkdir()
    (tmp_path / "holiday").mkdir()
    (tmp_path / f"maps-{KEY}").mkdir()
    found = {item.name: item for item in list_entries(tmp_path)}
    assert {name: item.about for name, item in found.items()} == {
        entry.name: "extractor gradcam; metrics miou, pxap",
        plain.name: "",
        f"network-{KEY}.unfinished": "unfinished",
        f"network-{KEY}.damaged-7": "damaged, moved aside",
        "holiday": "not of this store",
        f"maps-{KEY}": "damaged: recipe.json is missing",
    }
    assert found[entry.name].size == sum(path.stat().st_size for path in entry.iterdir())
    assert 0 <= found[entry.name].days < 1 / 24


def test_what_unfinished_stages_left_goes_after_a_day(tmp_path: Path, commit: Commit) -> None:
    entry = commit(Store(tmp_path))
    lock = tmp_path / f".{entry.name}.place.lock"
    for days in (0.9, 1.1):
        left = leftovers(tmp_path)
        for path in left[:2]:
            path.mkdir(exist_ok=True)
        left[2].touch()
        aged(entry, days)
        for path in (*left, lock):
            aged(path, days)
        assert set(prunable(tmp_path)) == (set() if days < 1 else {*left, lock})
    (tmp_path / f"network-{KEY}.unfinished" / "checkpoint").write_bytes(b"x" * 1000)
    aged(tmp_path / f"network-{KEY}.unfinished" / "checkpoint", 2)
    assert prunable(tmp_path, older_than=1.0)[0] == entry
    assert prunable(tmp_path, older_than=1.2)[:1] != [entry]
    aged(tmp_path / f"network-{KEY}.unfinished", 2)
    assert prune(prunable(tmp_path)) == 1000
    assert list(tmp_path.iterdir()) == [entry]


@pytest.mark.parametrize("ending", [".lock", ".place.lock"])
def test_what_a_run_is_at_work_on_stays(tmp_path: Path, ending: str) -> None:
    """However long an epoch takes."""
    from filelock import FileLock

    left = leftovers(tmp_path)
    with FileLock(tmp_path / f".network-{KEY}{ending}"):
        left[0].mkdir()
        left[1].mkdir()
        left[2].touch()
        for path in tmp_path.iterdir():
            aged(path, 9)
        assert prunable(tmp_path) == []
    assert set(left) <= set(prunable(tmp_path))


def test_a_folder_that_is_no_store_loses_nothing(tmp_path: Path) -> None:
    """A person's own hidden files, old ones too, whatever folder is named."""
    for name in (".ssh", ".bashrc", "network", "network-1.unfinished", ".cache.lock", "photos-2024"):
        (tmp_path / name).mkdir()
        aged(tmp_path / name, 900)
    assert prunable(tmp_path, older_than=0.0) == []
    assert list(verify(tmp_path)) == []
    assert {item.about for item in list_entries(tmp_path)} == {"not of this store"}
    with pytest.raises(CamForgeError, match=r"there is no store in .*none"):
        list(list_entries(tmp_path / "none"))


def test_a_disk_that_refuses_is_one_line(tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = commit(Store(tmp_path))

    def refuses(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("camforge.store.maintenance.remove", refuses)
    with pytest.raises(CamForgeError, match=rf"^store: cannot remove .*{entry.name}: Permission denied$"):
        prune([entry])


def test_links_are_removed_alone(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("precious")
    link = tmp_path / f"network-{KEY}.damaged-1"
    link.symlink_to("elsewhere")
    prune(prunable(tmp_path))
    assert not link.is_symlink()
    assert (tmp_path / "elsewhere" / "file").read_text() == "precious"
