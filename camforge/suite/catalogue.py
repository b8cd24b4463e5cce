"""Which suites there are: files that list experiments, and every experiment as a suite of one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from camforge.config.load import read
from camforge.config.schema import FolderName
from camforge.config.shipped import dashed, named
from camforge.config.sources import shown
from camforge.host.errors import option_errors
from camforge.interfaces.base import Options, nearest
from camforge.suite.every import Joining
from camforge.suite.papers import Paper
from camforge.types import CamForgeError

WORK = Path("work/bench")
"""Where a suite runs that is given no folder: in one of its name."""


class Definition(Options):
    """What a suite's file says."""

    name: FolderName
    about: str = ""
    cost: str = ""
    """What a run takes, such as "80 minutes on 2 cores"."""
    experiments: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files, or patterns such as ``../papers/*/*_small.py``, relative to the suite's own."""
    overrides: tuple[str, ...] = ()
    """``key.sub=value`` for every experiment."""
    every: tuple[Joining, ...] = ()
    """Kinds of which every installed plugin joins every experiment, with its defaults: a leaderboard."""
    on_data: str = ""
    """An experiment for each folder that ``--data`` names: its ``dataset.root`` is that folder."""


@dataclass(frozen=True)
class Suite:
    """A suite that was found: its experiments' files in order."""

    name: str
    experiments: tuple[Path, ...]
    about: str = ""
    cost: str = ""
    overrides: tuple[str, ...] = ()
    paper: Paper | None = None
    """The tables and figures that the experiments are for, where the suite is a paper's."""
    every: tuple[Joining, ...] = ()
    on_data: Path | None = None


@dataclass(frozen=True)
class Listed:
    """One line of the list. ``data``: {data set: whether it is there}."""

    name: str
    about: str
    data: Mapping[str, bool]
    cost: str
    experiments: int


def open_suite(name: str, small: bool = False) -> Suite:
    """A suite by its name or by its file's path; ``small``: a paper's small experiments instead of its own.

    Raises CamForgeError with what there is.
    """
    path = _file_of(name)
    config, _ = read(path)
    if "items" in config:
        paper = Paper.read(config, path, small, _matching)
        said = paper.definition
        return Suite(paper.name, paper.experiments, said.about, said.small_cost if small else said.cost, paper=paper)
    if small:
        raise CamForgeError(f"suite {name!r} has one size; a paper's own, such as paper002, has a small one as well")
    if "experiments" not in config:
        return Suite(dashed(path.stem) if Path(name).suffix else name, (path,), _about(config, path), _cost(config))
    with option_errors(str(path), config):
        definition = Definition.model_validate(config)
    files = [file for pattern in definition.experiments for file in _matching(pattern, path)]
    on_data = _matching(definition.on_data, path)[0] if definition.on_data else None
    return Suite(
        definition.name, tuple(dict.fromkeys(files)), definition.about, definition.cost, definition.overrides,
        every=definition.every, on_data=on_data,
    )  # fmt: skip


def _file_of(name: str) -> Path:
    path = Path(name)
    if path.suffix:
        return path
    known = named()
    if name not in known:
        near = nearest(name, known)  # the whole list has a hundred names
        raise CamForgeError(f"no suite is called {name!r}; {near}`camforge bench --list` names all; or give a file")
    return known[name]


def listing() -> Iterator[Listed]:
    """Every shipped suite with what it needs."""
    for name in named():
        suite = open_suite(name)
        data = [_data(read(file)[0]) for file in suite.experiments]
        yield Listed(name, suite.about, dict(data), suite.cost, len(suite.experiments))


def _matching(pattern: str, suite: Path) -> list[Path]:
    """A pattern's files in order, as short paths."""
    folder = suite.parent
    while pattern.startswith("../"):
        folder, pattern = folder.parent, pattern[3:]
    if not pattern or Path(pattern).is_absolute():
        raise CamForgeError(
            f"{suite}: experiments: {pattern!r} must be a file or pattern relative to the suite's own folder"
        )
    found = sorted(path for path in folder.glob(pattern) if not path.name.startswith("_"))
    if not found:
        raise CamForgeError(f"{suite}: experiments: no file {pattern} in {folder}")
    return found


def _about(config: Mapping[str, Any], path: Path) -> str:
    """What the experiment says of itself, or its file's docstring."""
    message = config.get("about")
    if not message and path.suffix == ".py":
        message = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    return " ".join(str(message or "").split())


def _cost(config: Mapping[str, Any]) -> str:
    return str(config.get("cost", ""))


def _data(config: Mapping[str, Any]) -> tuple[str, bool]:
    """(the data set's name and place, whether it is there); one that is drawn needs no place."""
    dataset = config.get("dataset")
    options = dataset if isinstance(dataset, Mapping) else {"name": dataset}
    root = options.get("root")
    return (
        (f"{options.get('name')}: {shown(Path(root))}", Path(root).exists())
        if root
        else (str(options.get("name")), True)
    )
