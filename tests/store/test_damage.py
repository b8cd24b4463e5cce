"""What is damaged is moved aside and made anew; what the disk does not tell stays as it is."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from camforge.store import recipe as recipe_module
from camforge.store.maintenance import damaged, list_entries, prunable, prune, verify
from camforge.store.recipe import RECIPE, digest
from camforge.store.store import Store
from camforge.types import CamForgeError

Commit = Callable[..., Path]
KEY = digest({})


def sealed(**changed: object) -> str:
    """A recipe whose own checksum is right."""
    content = {"stage": "stage", "key": KEY, "recipe": {}, "files": {}, "fresh": ""} | changed
    return json.dumps(content | {"checksum": recipe_module._sha256(content)})


RECIPES = {
    "no JSON": "{",
    "no text": b"\xff\xfe",
    "a list": "[]",
    "a list of files": '{"files": [], "recipe": {}}',
    "none of its files": '{"files": {}, "recipe": {}}',
    "a number that nobody writes": '{"files": ' + "9" * 5000 + "}",
    "nested deep": "[" * 100_000,
    "nested deep in a dict": '{"checksum": ' + "[" * 900 + "]" * 900 + "}",
    "a checksum that is none": sealed().replace("checksum", "sum"),
    "another word": sealed().replace('"fresh": ""', '"fresh": "x"'),
    "sealed, of another form": sealed(more=1),
    "sealed, with a list of files": sealed(files=[]),
    "sealed, with a number for a checksum": sealed(files={"a.txt": 1}),
    "sealed, with files elsewhere": sealed(files={"../../etc/passwd": "0"}),
    "sealed, with a folder for a file": sealed(files={"..": "0"}),
    "sealed, with a list for a recipe": sealed(recipe=[]),
    "sealed, with another key": sealed(key="0" * 16),
    "sealed, of another stage": sealed(stage="other"),
    "sealed, with another recipe": sealed(recipe={"a": 1}),
}


def replaced(path: Path, by: Callable[[Path], object]) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    by(path)


HARM: dict[str, Callable[[Path], object]] = {
    "a bit flipped": lambda entry: (entry / "a.txt").write_text("alphb"),
    "cut": lambda entry: (entry / "a.txt").write_text("alp"),
    "empty": lambda entry: (entry / "a.txt").write_text(""),
    "a file gone": lambda entry: (entry / "a.txt").unlink(),
    "the recipe gone": lambda entry: (entry / RECIPE).unlink(),
    "all files gone": lambda entry: [path.unlink() for path in entry.iterdir()],
    "a folder for a file": lambda entry: replaced(entry / "a.txt", Path.mkdir),
    "a folder for the recipe": lambda entry: replaced(entry / RECIPE, Path.mkdir),
    "a pipe for a file": lambda entry: replaced(entry / "a.txt", os.mkfifo),
    "a link for a file": lambda entry: (
        replaced(entry / "a.txt", lambda path: path.symlink_to("b.txt")), (entry / "b.txt").write_text("alpha"),
    ),
    "a link that leads nowhere": lambda entry: replaced(entry / "a.txt", lambda path: path.symlink_to("b.txt")),
    "a file for the entry": lambda entry: replaced(entry, Path.touch),
    "a link for the entry": lambda entry: (entry.rename(entry.parent / "moved"), entry.symlink_to("moved")),
    "a link in a circle": lambda entry: replaced(entry, lambda path: path.symlink_to(path.name)),
} | {
    f"recipe: {name}": lambda entry, text=text: (entry / RECIPE).write_bytes(
        text if isinstance(text, bytes) else text.encode()
    )
    for name, text in RECIPES.items()
}  # fmt: skip


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_entry_is_moved_aside_and_made_anew(tmp_path: Path, commit: Commit, harm: str) -> None:
    told: list[str] = []
    store = Store(tmp_path, told.append)
    entry = commit(store)
    HARM[harm](entry)
    names = sorted(os.listdir(entry)) if entry.is_dir() else []
    assert list(damaged(tmp_path)) == [entry.name]
    listed = {item.name: item.about for item in list_entries(tmp_path)}
    assert entry.name in listed
    assert store.find("stage", KEY) is None
    aside = tmp_path / f"{entry.name}.damaged-1"
    assert (sorted(os.listdir(aside)) if aside.is_dir() else []) == names
    (line,) = told
    assert line.startswith(f"store: {entry.name} is damaged (")
    assert line.endswith(f"): it is now {aside.name}, and is made anew")
    assert damaged(tmp_path) == {}
    assert commit(store) == store.find("stage", KEY) == entry
    assert (entry / "a.txt").read_text() == "alpha"
    assert not entry.is_symlink()
    assert prunable(tmp_path) == [aside]
    prune([aside])
    assert not os.path.lexists(aside)
    assert store.find("stage", KEY) == entry


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        ("cut", "checksum of a.txt"),
        ("a file gone", "a.txt is missing"),
        ("a pipe for a file", "a.txt is not a file"),
        ("a file for the entry", "a link or a file, no folder"),
        ("the recipe gone", "recipe.json is missing"),
        ("recipe: a list", "recipe.json: it has no checksum of its own; those of CamForge 0.1 have none"),
        ("recipe: another word", "recipe.json: its checksum is another"),
    ],
)
def test_damage_is_told_in_words(tmp_path: Path, commit: Commit, harm: str, problem: str) -> None:
    entry = commit(Store(tmp_path))
    HARM[harm](entry)
    assert damaged(tmp_path) == {entry.name: problem}


def test_two_swapped_entries_are_both_damaged(tmp_path: Path, commit: Commit) -> None:
    told: list[str] = []
    store = Store(tmp_path, told.append)
    one, two = commit(store, {"n": 1}), commit(store, {"n": 2})
    one.rename(tmp_path / "x")
    two.rename(one)
    (tmp_path / "x").rename(two)
    assert damaged(tmp_path) == {
        one.name: f"its recipe is that of {two.name}", two.name: f"its recipe is that of {one.name}"
    }  # fmt: skip
    assert store.find("stage", digest({"n": 1})) is None
    assert store.find("stage", digest({"n": 2})) is None
    assert len(told) == 2


def test_every_damage_has_a_place_of_its_own(tmp_path: Path, commit: Commit) -> None:
    store = Store(tmp_path)
    for number in (1, 2, 3):
        (commit(store) / "a.txt").write_text(f"damage {number}")
        if number == 2:  # found by the one that places
            commit(store)
        else:
            assert store.find("stage", KEY) is None
    texts = [(tmp_path / f"stage-{KEY}.damaged-{number}" / "a.txt").read_text() for number in (1, 2, 3)]
    assert texts == ["damage 1", "damage 2", "damage 3"]


def test_damage_that_another_run_mended_meanwhile(
    tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for the lock looks again before moving anything."""
    store = Store(tmp_path)
    entry = commit(store)
    (entry / "a.txt").write_text("damaged")
    placing = Store._placing

    def mended(self: Store, entry: Path):  # type: ignore[no-untyped-def]
        (entry / "a.txt").write_text("alpha")
        return placing(self, entry)

    monkeypatch.setattr(Store, "_placing", mended)
    assert store.find("stage", KEY) == entry
    assert not list(tmp_path.glob("*.damaged-*"))


ERRORS = [errno.EMFILE, errno.EIO, errno.ESTALE, errno.EACCES, errno.ENFILE, errno.ENOMEM, errno.EPERM]


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["lstat", "open"])
def test_an_error_of_the_disk_is_no_damage(
    tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch, code: int, call: str
) -> None:
    told: list[str] = []
    store = Store(tmp_path, told.append)
    entry = commit(store)
    before = sorted(path.name for path in tmp_path.rglob("*"))

    def fails(*_args: object, **_options: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        if call == "open":
            patch.setattr(recipe_module, "checksum", fails)
        else:
            patch.setattr(recipe_module.os, "lstat", fails)
        line = rf"^store: cannot read .*stage-{KEY}: {os.strerror(code)}$"
        with pytest.raises(CamForgeError, match=line):
            store.find("stage", KEY)
        if call == "open":
            assert [(f.name, f.kind) for f in verify(tmp_path)] == [(entry.name, "unreadable")]
            assert damaged(tmp_path) == {}
            assert prunable(tmp_path) == []
            with pytest.raises(CamForgeError, match=os.strerror(code)):
                commit(store)
    assert told == []
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert store.find("stage", KEY) == entry


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root, and Windows, may read everything")
def test_an_entry_that_may_not_be_read(tmp_path: Path, commit: Commit) -> None:
    entry = commit(Store(tmp_path))
    entry.chmod(0)
    with pytest.raises(CamForgeError, match="Permission denied"):
        Store(tmp_path).find("stage", KEY)
    entry.chmod(0o755)
    assert Store(tmp_path).find("stage", KEY) == entry
