"""Content decides; what did not change is not read again."""

import errno
import hashlib
import os
import sqlite3
import time
from pathlib import Path

import pytest

from camforge.data import contents
from camforge.data.contents import content_hashes
from camforge.types import CamForgeError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "camforge" / "contents.sqlite"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    checksum = contents.checksum

    def counted(path: Path) -> str:
        names.append(path.name)
        return checksum(path)

    monkeypatch.setattr(contents, "checksum", counted)
    monkeypatch.setattr(contents, "SETTLED", -(10**9))  # the files of these tests are a moment old
    return names


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_every_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"alpha")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    odd.write_bytes(b"odd")
    names = [tmp_path / "a", tmp_path / "gone", tmp_path / "folder", tmp_path / "empty", tmp_path / "a", odd]
    expected = [sha(b"alpha"), "absent", "absent", sha(b""), sha(b"alpha"), sha(b"odd")]
    for _ in range(2):
        assert content_hashes([*names, tmp_path / "a\0b", tmp_path / "a" / "b"]) == [*expected, "absent", "absent"]
    assert content_hashes([]) == []


def test_a_second_look_reads_nothing(tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "AT_ONCE", 2)
    files = [tmp_path / f"{i}" for i in range(5)]
    for file in files:
        file.write_bytes(file.name.encode())
    first = content_hashes(files)
    assert content_hashes(files[::-1]) == first[::-1] == [sha(f.name.encode()) for f in files[::-1]]
    assert sorted(reads) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("how", ["written over", "replaced", "with the old time", "renamed over"])
def test_other_content_of_the_same_size_is_noticed(tmp_path: Path, reads: list[str], how: str) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_bytes(b"alpha")
    other.write_bytes(b"alphb")
    before = os.stat(file)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert content_hashes([file]) == [sha(b"alpha")]
    time.sleep(0.02)
    if how == "renamed over":
        other.rename(file)
    elif how == "replaced":
        file.unlink()
        file.write_bytes(b"alphb")
    else:
        file.write_bytes(b"alphb")
    if how == "with the old time":
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert content_hashes([file]) == [sha(b"alphb")]
    assert reads == ["a", "a"]


def test_of_a_file_that_changed_just_now_nothing_is_kept(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "new").write_bytes(b"alpha")
    content_hashes([tmp_path / "new"])
    assert sqlite3.connect(cache).execute("SELECT count(*) FROM contents").fetchone() == (0,)


@pytest.mark.parametrize("trouble", ["no data base", "read-only", "no home", "a file for a folder"])
def test_without_a_cache_files_are_read(
    tmp_path: Path, cache: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    (tmp_path / "a").write_bytes(b"alpha")
    content_hashes([tmp_path / "a"])
    if trouble == "no data base":
        cache.write_bytes(b"x" * 5000)
    elif trouble == "a file for a folder":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a"))
    elif trouble == "no home":
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    else:
        monkeypatch.setattr(contents.sqlite3, "connect", _refuses)
    assert content_hashes([tmp_path / "a"]) == [sha(b"alpha")]
    assert reads == ["a", "a"]


def _refuses(*_args: object, **_options: object) -> None:
    raise sqlite3.OperationalError("attempt to write a readonly database")


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE, errno.ESTALE])
def test_a_disk_that_fails_is_no_other_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fails(path: Path) -> str:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(contents, "checksum", fails)
    with pytest.raises(CamForgeError, match=rf"a: cannot be read: {os.strerror(code)}$"):
        content_hashes([tmp_path / "a"])


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(contents, "checksum", forbidden)
    assert content_hashes([tmp_path / "a"]) == ["forbidden"]
