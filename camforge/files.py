"""Files written whole or not at all, and the checksum that tells a whole one from a damaged one."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from camforge.types import CamForgeError


def file_name(text: str) -> str:
    """A text, such as an image's id, as the name of one file: no folder, nothing that leads out of the one it is in."""
    return re.sub(r"[/\\\x00-\x1f]", "_", text).lstrip(".") or "_"


def write_atomically(path: Path | str, content: bytes) -> Path:
    """Write to a temporary name beside ``path``, flush to the disk, rename. Raises CamForgeError naming the path."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CamForgeError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
