"""pydantic's errors as lines a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from camforge.interfaces.base import NESTED
from camforge.types import CamForgeError


@dataclass(frozen=True)
class Mistake:
    """One wrong value: where, what was given, what is allowed."""

    path: tuple[str | int, ...]
    given: Any
    problem: str

    @property
    def key(self) -> str:
        return ".".join(map(str, self.path))

    def __str__(self) -> str:
        given = "" if self.given is None else f" (given: {_short(self.given)})"
        return f"{self.key}: {self.problem}{given}"


def mistakes(errors: list[Any], prefix: tuple[str | int, ...] = ()) -> list[Mistake]:
    """pydantic's error list, nested plugins unfolded, as mistakes."""
    found = []
    for error in errors:
        path = prefix + tuple(part for part in error["loc"] if not _is_tag(part))
        if error["type"] == NESTED:
            found += mistakes(error["ctx"]["errors"], path)
        elif error["type"] == "extra_forbidden":
            found.append(Mistake(path, error["input"], "unknown option"))
        elif error["type"] == "missing":
            found.append(Mistake(path, None, "is required"))
        else:
            found.append(Mistake(path, error["input"], error["msg"].removeprefix("Value error, ")))
    return _merge_unions(found)


def nearest(wrong: str, known: list[str]) -> str:
    """" (did you mean 'x'?)" or nothing."""
    near = difflib.get_close_matches(wrong, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


@contextmanager
def option_errors(label: str) -> Iterator[None]:
    """Turn pydantic's error into one CamForgeError that lists every mistake."""
    try:
        yield
    except ValidationError as error:
        lines = [str(m) for m in mistakes(list(error.errors()))]
        raise CamForgeError(f"{label}: " + "; ".join(lines)) from None


def _is_tag(part: Any) -> bool:
    """Union members put their own names into pydantic's path; a user never wrote them."""
    return isinstance(part, str) and ("[" in part or part in {"str", "int", "float", "bool", "none"})


def _merge_unions(found: list[Mistake]) -> list[Mistake]:
    """One value refused by every member of a union is one mistake with all that was allowed."""
    merged: dict[tuple[str | int, ...], Mistake] = {}
    for mistake in found:
        before = merged.get(mistake.path)
        problem = mistake.problem if before is None or before.problem == mistake.problem else (
            f"{before.problem}, or: {mistake.problem}"
        )
        merged[mistake.path] = Mistake(mistake.path, mistake.given, problem)
    return list(merged.values())


def _short(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
