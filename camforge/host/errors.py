"""pydantic's errors as lines a person can act on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from camforge.interfaces.base import nearest
from camforge.types import CamForgeError

KeyPath = tuple[str | int, ...]
REQUIRED = "is required"
NOT_GIVEN = object()  # "no value was given": None is a value


@dataclass(frozen=True)
class Mistake:
    """One wrong value: where, what was given, what is allowed."""

    path: KeyPath
    problem: str
    given: Any = NOT_GIVEN

    @property
    def key(self) -> str:
        return dotted(self.path)

    def __str__(self) -> str:
        given = "" if self.given is NOT_GIVEN else f" (given: {_short(self.given)})"
        return f"{self.key}: {self.problem}{given}" if self.path else f"{self.problem}{given}"


def dotted(path: KeyPath) -> str:
    """``arms.a.trainer``; a key that a line would hide, such as one that begins with a blank, stands in quotes."""
    texts = [str(part) for part in path]
    return ".".join(text if text and text == text.strip() and text.isprintable() else repr(text) for text in texts)


def mistakes(error: ValidationError, given: Any) -> list[Mistake]:
    """pydantic's errors about ``given`` as mistakes, in the order of the options.

    A value that every member of a union refuses is one mistake: the deepest complaint, or all that was allowed.
    """
    found: dict[KeyPath, list[Mistake]] = {}
    for line in _caused_by_nothing_inside(error.errors(include_url=False)):
        path, union = _written_path(line, given)
        found.setdefault(path if union is None else union, []).append(_mistake(line, path))
    return [merged for place, members in found.items() for merged in _of_union(members, place)]


def _caused_by_nothing_inside(lines: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Without lists that are too short only because pydantic does not count the items that it refused."""

    def is_outside(line: ErrorDetails, other: ErrorDetails) -> bool:
        depth = len(line["loc"])
        return len(other["loc"]) > depth and other["loc"][:depth] == line["loc"]

    return [line for line in lines if line["type"] != "too_short" or not any(is_outside(line, o) for o in lines)]


@contextmanager
def option_errors(label: str, given: Any) -> Iterator[None]:
    """Turn pydantic's error into one CamForgeError that lists every mistake."""
    try:
        yield
    except ValidationError as error:
        raise CamForgeError(f"{label}: " + "; ".join(map(str, mistakes(error, given)))) from None


def _written_path(line: ErrorDetails, given: Any) -> tuple[KeyPath, KeyPath | None]:
    """The path as the user wrote it and that of the first union on it: pydantic adds the names of a union's members."""
    path: list[str | int] = []
    union: KeyPath | None = None
    missing = line["type"] in {"missing", "plugin_name"}
    for place, part in enumerate(line["loc"]):
        keys = range(len(given)) if isinstance(given, list | tuple) else given if isinstance(given, dict) else ()
        if part in keys:
            given = given[part]
        elif not (missing and place == len(line["loc"]) - 1):
            union = tuple(path) if union is None else union
            continue
        path.append(part)
    return tuple(path), union


def _mistake(line: ErrorDetails, path: KeyPath) -> Mistake:
    kind, message, given = (
        line["type"],
        line["msg"].removeprefix("Value error, ").replace("Input should", "should"),
        line["input"],
    )
    if kind == "missing":
        return Mistake(path, REQUIRED)
    if kind == "plugin_name":
        return Mistake(path, message)
    if kind == "literal_error":
        return Mistake(path, message + _nearest(given, message), given)
    if kind in {"is_instance_of", "model_type"}:
        message = f"{path[-1] if path else 'the whole'} takes options by name, {{option: value}}"
    if kind in {"too_long", "too_short"}:  # Tuple should have at least 1 item after validation, not 0
        message = re.sub(r"^\w+ (should .*) after validation", r"\1", message)
    return Mistake(path, _AS_WRITTEN.get(kind, message), given)


_AS_WRITTEN = {
    "bool_type": "should be true or false", "bool_parsing": "should be true or false",
    "dict_type": "should be options by name, {option: value}",
    "float_parsing": "should be a number", "float_type": "should be a number",
    "int_from_float": "should be a whole number", "int_parsing": "should be a whole number",
    "int_type": "should be a whole number", "list_type": "should be a list", "none_required": "should be null",
    "path_type": "should be the path of a file or folder", "string_type": "should be text",
    "tuple_type": "should be a list",
}  # fmt: skip
"""pydantic's messages in the words of a config: yaml has lists, text and null, no tuples, strings and None."""


def _nearest(given: Any, allowed: str) -> str:
    hint = nearest(given, re.findall(r"'([^']*)'", allowed)).strip()
    return f"; {hint}" if hint else ""


def _of_union(members: Sequence[Mistake], union: KeyPath) -> list[Mistake]:
    """The members that got beyond the value itself know best; where none did, together they say what is allowed."""
    inner = [m for m in members if m.path != union] or members
    return [
        Mistake(path, ", or: ".join(dict.fromkeys(m.problem for m in group)), group[0].given)
        for path in dict.fromkeys(m.path for m in inner)
        if (group := [m for m in inner if m.path == path])
    ]


def message_of(error: BaseException) -> str:
    """What an exception says, in one line of at most 300 letters."""
    return " ".join(_safely(str, error).split())[:300]


def _short(value: Any, limit: int = 80) -> str:
    text = " ".join(_safely(repr, value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _safely(how: Callable[[Any], str], value: Any) -> str:
    """``str`` or ``repr`` of anybody's object, which may do what it likes."""
    try:
        return how(value)
    except (Exception, SystemExit) as error:
        return f"<{type(value).__name__} whose {how.__name__}() raises {type(error).__name__}>"
