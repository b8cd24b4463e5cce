"""What files hold, as hashes: a file that did not change since it was last read is not read again."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from camforge.files import checksum
from camforge.types import CamForgeError

ABSENT, FORBIDDEN = "absent", "forbidden"
"""What stands for the hash of a file that is not there, or may not be read."""
SETTLED = 2_000_000_000  # ns: of a file changed this short a time ago, a clock may not tell the next change
AT_ONCE = 500  # paths in one question to the cache


def content_hashes(paths: Sequence[Path]) -> list[str]:
    """The SHA-256 of each file, "absent" or "forbidden".

    Hashes are kept in the user's cache folder beside size, times and inode of the file; where one of these differs, the
    file is read again. Where the cache cannot be used, all files are read. Raises CamForgeError where the disk fails.
    """
    names = [os.fsencode(os.path.abspath(path)) for path in paths]
    marks = {name: _mark(name) for name in names}
    hashes = _recall(marks)
    unknown = [name for name in marks if name not in hashes]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as readers:
        read = dict(zip(unknown, readers.map(_hash, unknown), strict=True))
    _remember({name: (marks[name], found) for name, found in read.items() if _is_settled(marks[name])})
    known = hashes | read
    return [known[name] for name in names]


def _mark(name: bytes) -> str:
    """What changes whenever a file does: size, inode, time of the last change of content and of anything."""
    try:
        status = os.stat(name)
    except (OSError, ValueError):
        return ""
    return f"{status.st_size} {status.st_dev} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"


def _is_settled(mark: str) -> bool:
    return bool(mark) and max(map(int, mark.split()[-2:])) < time.time_ns() - SETTLED


def _hash(name: bytes) -> str:
    try:
        return checksum(Path(os.fsdecode(name)))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):  # ValueError: a zero byte
        return ABSENT
    except PermissionError:
        return FORBIDDEN
    except OSError as error:
        raise CamForgeError(f"{os.fsdecode(name)}: cannot be read: {error.strerror or error}") from error


def _recall(marks: Mapping[bytes, str]) -> dict[bytes, str]:
    """{path: hash} of the files whose marks are those of the cache."""
    names = list(marks)
    rows: list[tuple[bytes, str, str]] = []
    with suppress(_NoCache), _cache() as cache:
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            places = ",".join("?" * len(some))
            rows += cache.execute(f"SELECT path, mark, hash FROM contents WHERE path IN ({places})", some)
    return {name: found for name, mark, found in rows if mark == marks[name]}


def _remember(found: Mapping[bytes, tuple[str, str]]) -> None:
    with suppress(_NoCache), _cache() as cache, cache:
        cache.executemany("REPLACE INTO contents VALUES (?, ?, ?)", [(name, *row) for name, row in found.items()])


class _NoCache(Exception):
    """No folder to keep hashes in, or a file there that is not a database: then every file is read."""


@contextmanager
def _cache() -> Iterator[sqlite3.Connection]:
    """The table ``contents``: path, mark, hash."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "camforge"
        folder.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(folder / "contents.sqlite", timeout=5)) as cache:
            cache.execute("CREATE TABLE IF NOT EXISTS contents (path BLOB PRIMARY KEY, mark TEXT, hash TEXT)")
            yield cache
    except (OSError, RuntimeError, sqlite3.Error) as error:  # RuntimeError: a person without a home
        raise _NoCache from error
