"""The page of one plugin: what it is, its options, an example, and its numbers in every suite that was run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from camforge.files import write_atomically
from camforge.host.describe import Option
from camforge.report.data import ArmReport
from camforge.report.page import render_template
from camforge.report.standing import Column, columns


@dataclass(frozen=True)
class PluginTable:
    """One experiment's rows, those of the plugin marked.

    source  where the numbers come from;  own  names of the rows that the plugin takes part in
    """

    title: str
    source: str
    arms: tuple[ArmReport, ...]
    own: frozenset[str]
    only: frozenset[str] = frozenset()
    """The metrics that are shown, where the plugin is a metric; none: all."""

    @property
    def columns(self) -> list[Column]:
        """The metrics' columns."""
        return [column for column in columns(self.arms) if not self.only or column.metric in self.only]

    @property
    def shown(self) -> list[ArmReport]:
        """The plugin's own rows and the controls; of a metric's plugin every row."""
        return [arm for arm in self.arms if self.only or arm.control or arm.name in self.own]

    def rank(self, arm: ArmReport, column: Column) -> str:
        """The row's place among all rows of the experiment that no control makes, such as "3 of 40"."""
        values = {a.name: a.metrics[column.metric] for a in self.arms if not a.control and column.metric in a.metrics}
        if arm.name not in values:
            return ""
        better = [
            v for v in values.values() if (v < values[arm.name]) == column.lower_is_better and v != values[arm.name]
        ]
        return f"{len(better) + 1} of {len(values)}"


@dataclass(frozen=True)
class PluginPage:
    """Everything that the page shows. ``about``: the docstring's paragraphs; ``source``: distribution and version."""

    kind: str
    name: str
    source: str
    about: Sequence[str]
    options: Sequence[Option]
    example: str
    tables: Sequence[PluginTable] = ()
    facts: Mapping[str, str] | None = None


def write_plugin_page(path: Path | str, page: PluginPage) -> Path:
    """Write the page as one HTML file."""
    return write_atomically(path, render_template("plugin.html", page=page).encode())
