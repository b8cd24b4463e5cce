"""Text files as lines, problems as one error, files as a fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from camforge.api import CamForgeError, content_hashes

SHOWN = 20  # problems told in one error


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty. Raises CamForgeError where it is missing or no text."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except FileNotFoundError:
        raise CamForgeError(f"{path} is missing") from None
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a zero byte in the name
        raise CamForgeError(f"{path}: cannot be read as text ({_short(error)})") from None


def refuse(what: str, problems: list[str]) -> None:
    """Raise one error with every problem."""
    if problems:
        raise CamForgeError(problem_report(what, problems))


def problem_report(what: str, problems: list[str]) -> str:
    """Every problem in a line of its own, the first ``SHOWN`` of them in full."""
    shown = problems[:SHOWN] + ([f"… and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else [])
    return f"{what}: " + (shown[0] if len(problems) == 1 else "\n  ".join(["", *shown]).rstrip())


def fingerprint(*parts: object, files: Iterable[Path] = ()) -> str:
    """A hash of options and of each file's name and content: the same on every machine that holds the same files."""
    hasher, paths = hashlib.sha256(repr(parts).encode()), list(files)
    for path, content in zip(paths, content_hashes(paths), strict=True):
        hasher.update(f"{path.name}:{content};".encode(errors="surrogateescape"))
    return hasher.hexdigest()[:16]


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
