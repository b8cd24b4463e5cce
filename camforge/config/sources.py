"""The files of a config, read as text and checked before mmengine opens them.

mmengine's reader replaces {{…}} in the text, imports modules a config names, and loads yaml with a loader that can call
any function. Here each file is looked at first: what would execute from yaml or json, or would be read differently
from how it is written, is refused with its line.
"""

from __future__ import annotations

import ast
import codecs
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import yaml
from mmengine.config.config import BASE_KEY, RESERVED_KEYS
from mmengine.fileio.handlers.yaml_handler import Loader  # the parser that mmengine will use: the same reading

from camforge.config.locations import SourceLocation, python_location, yaml_location
from camforge.host.errors import message_of
from camforge.interfaces.base import choices
from camforge.types import CamForgeError

SUFFIXES = (".py", ".yaml", ".yml", ".json")
MAX_BYTES = 1_000_000
MAX_VALUES = 100_000
MAX_DEPTH = 50
_PLAIN_TAGS = {f"tag:yaml.org,2002:{tag}" for tag in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}


@dataclass(frozen=True)
class Source:
    """One file and what it builds on.

    location the places of all values, bases included
    files    every file that is read, the bases first
    helpers  names of a python config that are imports, functions or classes: no options
    """

    location: SourceLocation
    files: tuple[Path, ...]
    helpers: frozenset[str] = frozenset()


def survey(path: Path, chain: tuple[Path, ...] = ()) -> Source:
    """Read a config and its bases without running anything. Raises CamForgeError with file and line."""
    path = Path(os.path.abspath(path.expanduser()))
    if path in chain:
        loop = " → ".join(p.name for p in (*chain[chain.index(path) :], path))
        raise CamForgeError(f"{shown(path)}: its base files lead back to itself: {loop}")
    text = _read(path)
    return (_python if path.suffix == ".py" else _data)(path, text, (*chain, path))


@contextmanager
def without_marks(files: Sequence[Path]) -> Iterator[Mapping[Path, Path]]:
    """{file: what to read in its place}: copies, where a file begins with the byte order mark of editors on Windows."""
    if not any(file.read_bytes().startswith(codecs.BOM_UTF8) for file in files):
        yield {file: file for file in files}
        return
    top = os.path.commonpath([file.parent for file in files])
    with TemporaryDirectory() as folder:
        copies = {file: Path(folder) / file.relative_to(top) for file in files}
        for file, copy in copies.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes().removeprefix(codecs.BOM_UTF8))
        yield copies


def shown(path: Path) -> str:
    """A path as a person near it would write it."""
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near


def plain_yaml(text: str, file: str) -> tuple[Any, SourceLocation]:
    """The value of a yaml text that holds nothing but plain values, and the places in it."""
    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise CamForgeError(_yaml_problem(error, file)) from None
    if node is None:
        return None, SourceLocation(file, 1)
    _check_nodes(node, file)
    try:
        return yaml.safe_load(text), yaml_location(node, file)
    except (yaml.YAMLError, ValueError, TypeError) as error:  # {[a]: b}, 2024-99-99
        raise CamForgeError(f"{file}: not valid yaml: {message_of(error)}") from None


def _yaml_problem(error: yaml.YAMLError, file: str) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"{file}: not valid yaml: {message_of(error)}"
    return f"{_at(file, error.problem_mark.line + 1)}: not valid yaml: {error.problem}"


def _at(file: str, line: int) -> str:
    return file if file.startswith("--set") else f"{file}:{line}"


def _read(path: Path) -> str:
    label = shown(path)
    if path.suffix not in SUFFIXES:
        raise CamForgeError(f"{label}: an experiment is a file that ends in {', '.join(SUFFIXES)}")
    if not path.is_file():
        near = choices(path.name, (p.name for p in path.parent.glob("*") if p.suffix in SUFFIXES), "in that folder")
        raise CamForgeError(f"{label}: {'is a folder' if path.is_dir() else 'no such file'}; {near}")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CamForgeError(f"{label}: {path.stat().st_size} bytes are too many for a config (at most {MAX_BYTES})")
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CamForgeError(
            f"{label}: not a text file in utf-8: byte {error.start} is {error.object[error.start]:#04x}"
        ) from None
    except OSError as error:
        raise CamForgeError(f"{label}: cannot be read: {error.strerror}") from None
    if found := re.search(r"\{\{\s*_base_\.|\x00", text):
        line = text.count("\n", 0, found.start()) + 1
        what = "a zero byte" if found[0] == "\0" else "{{ _base_.… }}: write the value, or _base_.… in a python file"
        raise CamForgeError(f"{label}:{line}: cannot stand in a config: {what}")
    return text


def _python(path: Path, text: str, chain: tuple[Path, ...]) -> Source:
    label = shown(path)
    try:
        module = ast.parse(text, filename=str(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise CamForgeError(f"{label}{line}: python does not understand this: {getattr(error, 'msg', error)}") from None
    _refuse_lazy_style(module, label)
    bases = [survey(path.parent / name, chain) for name in _python_bases(module, label)]
    base = _joined(bases, path)
    try:
        location = python_location(module, label, base)
    except RecursionError:
        raise CamForgeError(f"{label}: expressions are nested too deeply") from None
    return _source(path, location, base, bases, _helper_names(module))


def _refuse_lazy_style(module: ast.Module, label: str) -> None:
    nodes = list(ast.walk(module))
    for node in nodes:
        if isinstance(node, ast.Name) and node.id == "read_base":
            _refuse(label, node, "'with read_base()' is not supported: write _base_ = ['other_file.py'] instead")
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level:
            _refuse(
                label, node, "a config is not a package: write _base_ = ['other_file.py'] instead of a relative import"
            )


def _python_bases(module: ast.Module, label: str) -> list[str]:
    """The base files, which must be readable without running the file."""
    found: list[str] | None = None
    for node in ast.walk(module):
        if not (isinstance(node, ast.Name) and node.id == BASE_KEY and isinstance(node.ctx, ast.Store)):
            continue
        plain = [s for s in module.body if isinstance(s, ast.Assign) and len(s.targets) == 1 and s.targets[0] is node]
        if not plain or found is not None:
            _refuse(label, node, "_base_ is set once, at the top level: _base_ = ['other_file.py']")
        try:
            found = _base_names(ast.literal_eval(plain[0].value), f"{label}:{node.lineno}")
        except (ValueError, TypeError):
            _refuse(
                label, node, "_base_ must be written out, it is read before the file runs: _base_ = ['other_file.py']"
            )
    return found or []


def _helper_names(module: ast.Module) -> frozenset[str]:
    names: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return frozenset(names)


def _data(path: Path, text: str, chain: tuple[Path, ...]) -> Source:
    label = shown(path)
    value, location = _json(text, label) if path.suffix == ".json" else plain_yaml(text, label)
    if not isinstance(value, dict):
        raise CamForgeError(f"{label}: an experiment is a mapping of options to values, not {type(value).__name__}")
    odd = [key for key in value if not isinstance(key, str)]
    if odd:
        raise CamForgeError(f"{location.find([str(odd[0])])}: option names are words, not {odd[0]!r}")
    names = _base_names(value.get(BASE_KEY, []), str(location.find([BASE_KEY])))
    if wrong := [name for name in names if name.endswith(".py")]:
        raise CamForgeError(
            f"{location.find([BASE_KEY])}: {wrong[0]}: a yaml or json config runs no python, "
            "so its base must be yaml or json too"
        )
    bases = [survey(path.parent / name, chain) for name in names]
    return _source(path, location, _joined(bases, path), bases)


def _json(text: str, label: str) -> tuple[Any, SourceLocation]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if twice := sorted({key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i])}):
            raise CamForgeError(f"{label}: {twice[0]!r} is given twice")
        return dict(pairs)

    def no_number(name: str) -> NoReturn:
        raise CamForgeError(f"{label}: {name} is not a number in json")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=no_number)
    except json.JSONDecodeError as error:
        raise CamForgeError(f"{label}:{error.lineno}: not valid json: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise CamForgeError(f"{label}: not valid json: {error}") from None
    try:
        return value, plain_yaml(text.replace("\t", " "), label)[1]
    except CamForgeError:  # the few spellings that yaml does not share: the file alone is the place
        return value, SourceLocation(label, shape="dict")


def _check_nodes(root: yaml.Node, file: str) -> None:
    """Plain tags, each key once, no alias that grows without bound."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, above: tuple[int, ...]) -> int:
        line = node.start_mark.line + 1
        if id(node) in above or len(above) > MAX_DEPTH:
            raise CamForgeError(f"{_at(file, line)}: values are nested without end, or more than {MAX_DEPTH} deep")
        if node.tag not in _PLAIN_TAGS:
            raise CamForgeError(f"{_at(file, line)}: only plain values may stand here, not {_tag(node)}")
        if id(node) not in sizes:
            inner = (*above, id(node))
            sizes[id(node)] = 1 + sum(size(child, inner) for child in _parts(node, file))
            if sizes[id(node)] > MAX_VALUES:
                raise CamForgeError(f"{_at(file, line)}: aliases blow this up to more than {MAX_VALUES} values")
        return sizes[id(node)]

    size(root, ())


def _parts(node: yaml.Node, file: str) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise CamForgeError(f"{_at(file, key.start_mark.line + 1)}: {key.value!r} is given twice")
            seen |= {key.value} if isinstance(key, yaml.ScalarNode) else set()
            yield from (key, value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _tag(node: yaml.Node) -> str:
    word = node.tag.removeprefix("tag:yaml.org,2002:")
    return "a date (put it in quotes)" if word == "timestamp" else f"!!{word}"


def _base_names(value: Any, place: str) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not (isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)):
        raise CamForgeError(f"{place}: _base_ is a list of file names, not {value!r}")
    if outside := [name for name in names if "::" in name]:
        raise CamForgeError(f"{place}: {outside[0]}: bases are files beside this one, not parts of other packages")
    return list(names)


def _joined(bases: list[Source], path: Path) -> SourceLocation | None:
    """The places of all bases, which must not share a name: which one would hold?"""
    if not bases:
        return None
    joined = SourceLocation(shown(path), 1, "dict")
    for base in bases:
        if twice := sorted(map(str, joined.children.keys() & base.location.children.keys())):
            first, second = joined.find([twice[0]]), base.location.find([twice[0]])
            raise CamForgeError(f"{second}: {twice[0]!r} is already set by another base ({first}); a name has one base")
        joined = base.location.over(joined)
    return joined


def _source(
    path: Path,
    location: SourceLocation,
    base: SourceLocation | None,
    bases: list[Source],
    helpers: frozenset[str] = frozenset(),
) -> Source:
    if taken := [name for name in RESERVED_KEYS if name in location.children]:
        raise CamForgeError(
            f"{location.find(taken[:1])}: {taken[0]!r} cannot be the name of an option or variable here"
        )
    files = (*(file for b in bases for file in b.files), path)
    return Source(location if base is None else location.over(base), files, helpers.union(*(b.helpers for b in bases)))


def _refuse(label: str, node: ast.AST, why: str) -> NoReturn:
    raise CamForgeError(f"{label}:{getattr(node, 'lineno', 1)}: {why}")
