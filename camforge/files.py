"""Files written whole or not at all, and the checksum that tells a whole one from a damaged one."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from camforge.types import CamForgeError

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Neither write to what a link points at nor wait for the reader of a pipe."""
_CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP})
"""What file systems without fsync of a folder answer."""


_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)\d)(\.|$)", re.IGNORECASE)
"""What Windows opens as a device, with any suffix."""
_LONGEST = 200  # bytes of UTF-8: file systems take 255, suffixes and numbers among them


class DiskError(CamForgeError):
    """One line about what the disk refused; the OSError is its cause. No plugin is at fault, and no arm can go on."""


def file_name(text: str) -> str:
    """A text, such as an image's id, as the name of one file: no folder, nothing that leads out of the one it is in.

    Windows, and archives that are unpacked there, know it, too. What is too long ends in a checksum of the whole.
    """
    name = re.sub(r'[/\\<>:"|?*\x00-\x1f\x7f]', "_", text).lstrip(".").rstrip(". ") or "_"
    name = f"_{name}" if _DEVICE.match(name) else name
    content = name.encode(errors="surrogateescape")
    if len(content) <= _LONGEST:
        return name
    return f"{content[: _LONGEST - 9].decode(errors='ignore')}-{hashlib.sha256(content).hexdigest()[:8]}"


def free_name(text: str, taken: set[str]) -> str:
    """``file_name`` or, where ``taken`` has it in whatever case, with a number; it is taken from now on."""
    stem = name = file_name(text)
    number = 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}--{number}"
    taken.add(name.casefold())
    return name


def write_atomically(path: Path | str, content: bytes) -> Path:
    """Write to a temporary name beside ``path``, flush to the disk, rename. Raises DiskError naming the path."""
    path = Path(path)
    try:
        make_folder(path.parent)
        _replace(path, content)
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:  # x: nobody's file, and no link to one
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """A JSON file for ourselves, renamed into place when it is whole; Python reads its NaN again."""
    write_atomically(path, (json.dumps(value, indent=1) + "\n").encode())


def write_strict_json(path: Path, value: Mapping[str, Any]) -> None:
    """A JSON file for everybody: numbers that JSON does not know are null, and "not_finite" says where and why."""
    content, reasons = _finite(value)
    content |= {"not_finite": reasons} if reasons else {}
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def _finite(value: Any) -> tuple[Any, Any]:
    """The value with null for what is not finite; the same structure with a reason in each such place, else empty."""
    if isinstance(value, float) and not math.isfinite(value):
        return None, "not a number" if math.isnan(value) else "infinite" if value > 0 else "minus infinite"
    if isinstance(value, Mapping):
        parts = {key: _finite(inner) for key, inner in value.items()}
        return {key: part[0] for key, part in parts.items()}, {key: part[1] for key, part in parts.items() if part[1]}
    if isinstance(value, list | tuple):
        items = [_finite(inner) for inner in value]
        return [item[0] for item in items], {str(place): item[1] for place, item in enumerate(items) if item[1]}
    return value, {}


def append_line(path: Path, line: str) -> None:
    """Add a line to a text file, which is made where it is missing. Raises DiskError, also where it is a link."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINK, 0o666)
        with os.fdopen(file, "ab") as log:
            log.write(f"{line}\n".encode(errors="replace"))
    except OSError as error:
        what = "is a link, which is not followed" if path.is_symlink() else error.strerror or str(error)
        raise DiskError(f"cannot write {path}: {what}") from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing, and have their names reach the disk. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync(path: Path) -> None:
    """Have a file's content reach the disk. Raises OSError."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have a folder's names reach the disk: without it a power loss may undo a rename. Raises OSError."""
    if os.name != "posix":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(opened)


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
