"""A paper as a suite: its tables and figures as they are printed, and the experiments that make each of them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from camforge.analysis.oracle import Oracle
from camforge.config.schema import FolderName
from camforge.host.errors import option_errors
from camforge.interfaces.base import Options
from camforge.report.paper import OracleTable, PaperPage, PaperPart, PaperTable, ShownParts, paper_table
from camforge.report.suite import SuiteReport
from camforge.types import CamForgeError

Files = Callable[[str, Path], list[Path]]
"""(pattern, the suite's file) -> the files that it names."""


class PaperItem(Options):
    """One table or figure of a paper."""

    title: str
    """As it is called in print, such as "Table 2"."""
    about: str = ""
    full: Annotated[tuple[str, ...], Field(min_length=1)]
    """Experiments at the paper's own scale: files or patterns relative to the suite's own."""
    small: tuple[str, ...] = ()
    """Experiments that a computer without a GPU runs. None: the item has only its own scale."""
    metrics: tuple[str, ...] = ()
    """The numbers in print, ``miou@train`` those of the training split. None: the item is pictures."""
    pictures: bool = False
    """Show each experiment's pictures."""
    groups: bool = False
    """Show how each experiment's classes were grouped: levels, clusters, similarity, ranks."""
    by_class: str = ""
    """A metric of which the numbers of every class are drawn, all arms side by side."""
    oracle: str = ""
    """An arm of class pairs whose best ones the validation masks choose, as ``camforge oracle`` does."""
    printed: str = ""
    """A .csv with the oracle's numbers in print: rows as ``oracle.csv`` has them, one column per class, "mean"."""
    differs: str = ""
    """In what the experiment does not follow the text."""
    open: str = ""
    """What the text leaves open, and how it is read here."""


class PaperDefinition(Options):
    """What a paper's file says."""

    name: FolderName
    about: str = ""
    cost: str = ""
    small_cost: str = ""
    items: Annotated[tuple[PaperItem, ...], Field(min_length=1)]


@dataclass(frozen=True)
class Paper:
    """A paper at one scale: {item: its experiments}, in the order of print."""

    definition: PaperDefinition
    file: Path
    small: bool
    items: tuple[tuple[PaperItem, tuple[Path, ...]], ...]

    @classmethod
    def read(cls, config: Mapping[str, Any], file: Path, small: bool, files: Files) -> Paper:
        """Raises CamForgeError where the definition is wrong or a file is missing."""
        with option_errors(str(file), config):
            definition = PaperDefinition.model_validate(config)
        items = []
        for item in definition.items:
            if item.printed:
                _printed(file.parent / item.printed)  # a mistake in it is told before anything runs
            found = [path for pattern in (item.small if small else item.full) for path in files(pattern, file)]
            items.append((item, tuple(dict.fromkeys(found))))
        return cls(definition, file, small, tuple(items))

    @property
    def name(self) -> str:
        """The suite's name, which tells the scale."""
        return f"{self.definition.name}-small" if self.small else self.definition.name

    @property
    def experiments(self) -> tuple[Path, ...]:
        """Every experiment once, in the order of first need."""
        return tuple(dict.fromkeys(path for _, paths in self.items for path in paths))

    def oracle_arm(self, experiment: Path) -> str:
        """The arm that the oracle of an experiment takes, "" where no item asks for one."""
        return next((item.oracle for item, paths in self.items if item.oracle and experiment in paths), "")


def paper_page(
    paper: Paper, tables: Mapping[Path, SuiteReport], oracles: Mapping[Path, Oracle], failures: Mapping[str, str]
) -> PaperPage:
    """Every item with what was measured for it, in the paper's own order."""
    parts = []
    for item, paths in paper.items:
        made = tuple(_table(item, tables[path], oracles.get(path), paper.file) for path in paths if path in tables)
        parts.append(PaperPart(item.title, made, item.about, item.differs, item.open, not paths))
    return PaperPage(paper.name, tuple(parts), paper.definition.about, paper.small, failures)


def _table(item: PaperItem, suite: SuiteReport, found: Oracle | None, file: Path) -> PaperTable:
    table = paper_table(suite, ShownParts(item.metrics, item.pictures, item.groups, item.by_class))
    return replace(table, oracle=_oracle_table(found, item, file)) if item.oracle and found else table


def _oracle_table(found: Oracle, item: PaperItem, file: Path) -> OracleTable:
    """The oracle's rows, and beside each number the one in print where row and column have the same name."""
    printed = _printed(file.parent / item.printed) if item.printed else {}
    names = (*found.classes, "mean")
    rows = {name: dict(zip(names, values, strict=False)) for name, values in found.rows()}
    return OracleTable(names, rows, printed)


def _printed(path: Path) -> dict[str, dict[str, float]]:
    """{row: {column: number}} of a .csv; empty cells have no number."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {row.pop("row"): {name: float(text) for name, text in row.items() if text} for row in rows}
    except (OSError, ValueError, KeyError) as error:
        raise CamForgeError(f"{path}: no table of printed numbers: {error}") from None
