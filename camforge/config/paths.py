"""Files and folders that a config names: relative to the file that says so, with ``~`` and ``$VARIABLES`` filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import isclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from camforge.config.locations import SourceLocation
from camforge.host.describe import SECTIONS
from camforge.host.errors import KeyPath, dotted
from camforge.host.registry import registry
from camforge.interfaces import Plugin
from camforge.types import CamForgeError
from camforge.weights import is_weights_file

DATA = "CAMFORGE_DATA"
"""The environment variable of the folder that holds data sets; where it is not set, ``data`` of the current folder."""
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_FILE = r".*\.(?:pth\.tar|pt|pth|ckpt|bin|npz|safetensors)(?::.*)?"
_NAMED_AS_FILE = re.compile(_FILE, re.DOTALL | re.IGNORECASE)
_WEIGHTS = re.compile(rf"(?!\w+://)(?:[./].*|{_FILE})", re.DOTALL | re.IGNORECASE)
"""Text that can be nothing but a file, whether it is there or not; an address is none."""
_KINDS = {section: kind for kind, section in SECTIONS.items()}


@dataclass(frozen=True)
class NamedPath:
    """A value that names a file or folder: ``options[name]``, which stands at ``key``.

    or_text  whether it may be something else, such as the name of published weights
    """

    options: dict[str, Any]
    name: str
    key: KeyPath
    or_text: bool


def resolve_paths(config: dict[str, Any], location: SourceLocation) -> None:
    """Make every path of a config absolute, in place: of an option whose type is ``Path``, or ``str | Path``.

    What stands in a file is relative to it, what ``--set`` gives to the current folder. A value that may be other text
    is a path where it looks like one or there is such a file. Raises CamForgeError for a variable that is not set.
    """
    for found in _paths(config):
        place = location.find(found.key)
        folder = Path.cwd() if place.file.startswith("--set") else Path(place.file).absolute().parent
        written = found.options[found.name]
        text = os.path.expanduser(_filled(written, f"{place}: {dotted(found.key)}"))
        path = Path(os.path.normpath(folder / text))
        if not found.or_text or text != written or _WEIGHTS.fullmatch(text) or (text and _exists(path)):
            found.options[found.name] = str(path)


def absent_files(config: dict[str, Any], location: SourceLocation) -> list[str]:
    """One line for each file of weights that a config with resolved paths names and that is not there.

    Data sets say themselves what they lack, when they are opened.
    """
    named = [(found, found.options[found.name]) for found in _paths(config) if found.or_text]
    return [
        f"{location.find(found.key)}: {dotted(found.key)}: {problem}: {written}"
        for found, written in named
        if (problem := _lack(written))
    ]


def _lack(written: str) -> str:
    """What is wrong with a file of weights, or nothing. A folder may be a model, but not by the name of a file."""
    if not _WEIGHTS.fullmatch(written):
        return ""
    is_file = _NAMED_AS_FILE.fullmatch(written)
    if is_file and os.path.isdir(written):
        return "a folder, not a file"
    return "" if _exists(Path(written)) else "no such file"


def _filled(text: str, label: str) -> str:
    """The text with the values of its environment variables."""

    def value(variable: re.Match[str]) -> str:
        name = variable[1] or variable[2]
        found = os.environ.get(name) or (str(Path.cwd() / "data") if name == DATA else "")
        if not found:
            raise CamForgeError(f"{label}: the environment variable {name} is not set")
        return found

    return _VARIABLE.sub(value, text)


def _exists(path: Path) -> bool:
    """Weights may name one of the networks in their file."""
    return os.path.exists(path) or is_weights_file(path)


def _paths(config: dict[str, Any]) -> Iterator[NamedPath]:
    arms = config.get("arms")
    members = [(("arms", name), arm) for name, arm in arms.items()] if isinstance(arms, dict) else []
    for key, options in [((), config), *members]:
        for section, kind in _KINDS.items():
            if isinstance(options, dict) and section in options:
                yield from _of_plugin(options[section], kind, (*key, section))


def _of_plugin(spec: Any, kind: str, key: KeyPath) -> Iterator[NamedPath]:
    """The paths among a plugin's options and those of the plugins inside it; of a list, all of its plugins'."""
    if isinstance(spec, list):
        for place, inner in enumerate(spec):
            yield from _of_plugin(inner, kind, (*key, place))
    found = registry().find(kind, spec.get("name")) if isinstance(spec, dict) else None
    if found:
        yield from _of_fields(spec, found, key)


def _of_fields(options: dict[str, Any], model: type[BaseModel], key: KeyPath) -> Iterator[NamedPath]:
    for name, field in model.model_fields.items():
        given, types = options.get(name), set(_types(field.annotation))
        if isinstance(given, str) and Path in types:
            yield NamedPath(options, name, (*key, name), str in types)
        for inner in types:
            if isclass(inner) and issubclass(inner, Plugin) and hasattr(inner, "kind"):
                yield from _of_plugin(given, inner.kind, (*key, name))
            elif isclass(inner) and issubclass(inner, BaseModel) and isinstance(given, dict):
                yield from _of_fields(given, inner, (*key, name))


def _types(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for each in inner:
        yield from _types(each)
