"""Writing files so that a half-written one is never taken for whole."""

from __future__ import annotations

import os
from pathlib import Path

from camforge.types import CamForgeError


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
