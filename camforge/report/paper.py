"""A paper's page: its tables and figures in the order of print, each number in print beside the one measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from camforge.files import write_atomically
from camforge.pictures import data_uri
from camforge.report.contact import contact_sheet
from camforge.report.data import ArmReport, ReportData
from camforge.report.figures import Bar, Chart, bars, line_chart
from camforge.report.page import GroupingPart, groupings, hues_of, render_template
from camforge.report.standing import NO_NUMBER, Column, columns, in_order, per_class
from camforge.report.suite import SuiteReport, SuiteRow


@dataclass(frozen=True)
class PaperHead:
    """A column of numbers: the metric as it is written, and the split that it is taken on."""

    metric: str
    split: str


@dataclass(frozen=True)
class PaperNumber:
    """One number of one row as it is written. ``value``: the measured one, to sort by; None where there is none."""

    measured: str
    value: float | None = None
    spread: str = ""
    printed: str = ""
    difference: str = ""


@dataclass(frozen=True)
class PaperLine:
    """One row, a number for each head. ``recipe``: where the manifest lies, relative to the page."""

    row: str
    numbers: tuple[PaperNumber, ...]
    recipe: str
    control: bool


@dataclass(frozen=True)
class OracleRow:
    """``cells``: (measured, printed) per column, as they are written; "" where nothing is printed."""

    name: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class OracleTable:
    """{row: {column: number}}, measured and in print; NaN and missing ones have no number."""

    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, float]]
    printed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def written(self) -> Iterator[OracleRow]:
        """The rows that are measured, then those that are only in print, as they are written."""
        in_print = [name for name, row in self.printed.items() if row.keys() & set(self.columns)]
        for name in dict.fromkeys([*self.rows, *in_print]):
            measured, printed = self.rows.get(name, {}), self.printed.get(name, {})
            cells = ((_number(measured.get(column)), _number(printed.get(column), "")) for column in self.columns)
            yield OracleRow(name, tuple(cells))


@dataclass(frozen=True)
class ClassBars:
    """A metric of every class: a cluster of bars, one per arm. ``hues``: {arm: its colour}."""

    metric: str
    arms: Sequence[ArmReport]
    values: Mapping[str, Sequence[Bar]]
    hues: Mapping[str, int]


@dataclass(frozen=True)
class ShownParts:
    """What an item of a paper shows of an experiment.

    metrics   the numbers in print;  by_class  a metric of which every class is drawn, "" for none
    pictures  a few images with the maps of every arm;  groups  how classes were grouped
    """

    metrics: Sequence[str] = ()
    pictures: bool = False
    groups: bool = False
    by_class: str = ""


@dataclass(frozen=True, eq=False)
class PaperTable:
    """What one experiment has for a table or figure.

    address  of the experiment's own page, relative to the paper's;  picture  a data URI, or ""
    """

    experiment: str
    data: str
    address: str
    heads: tuple[PaperHead, ...] = ()
    lines: tuple[PaperLine, ...] = ()
    charts: tuple[Chart, ...] = ()
    picture: str = ""
    oracle: OracleTable | None = None
    groupings: Sequence[GroupingPart] = ()
    bars: ClassBars | None = None


@dataclass(frozen=True)
class PaperPart:
    """One table or figure.

    differs    in what it does not follow the text;  open  what the text leaves open, and the reading taken
    full_only  it has no small version
    """

    title: str
    tables: tuple[PaperTable, ...]
    about: str = ""
    differs: str = ""
    open: str = ""
    full_only: bool = False


@dataclass(frozen=True)
class PaperPage:
    """The whole page. ``failures``: {experiment, or experiment: arm: why there is no number}."""

    title: str
    parts: tuple[PaperPart, ...]
    about: str = ""
    small: bool = False
    failures: Mapping[str, str] = field(default_factory=dict)


def write_paper(path: Path | str, page: PaperPage) -> Path:
    """Write the page as one HTML file."""
    return write_atomically(path, render_template("paper.html", page=page).encode())


def split_of(metric: str) -> tuple[str, str]:
    """ "miou@train" -> ("miou", "train"), "miou" -> ("miou", "val"): what a number is called, and where it is taken."""
    name, _, split = metric.partition("@")
    return name, split or "val"


def paper_table(suite: SuiteReport, item: ShownParts) -> PaperTable:
    """What an item of a paper shows of an experiment; numbers row by row, controls last."""
    data = suite.recipe.get("config", {}).get("dataset", "")
    shown = _columns(suite, item.metrics)
    return PaperTable(
        experiment=suite.title,
        data=data.get("name", "") if isinstance(data, Mapping) else str(data),
        address=f"{suite.title}/suite.html",
        heads=tuple(_head(column) for column in shown),
        lines=tuple(_lines(suite, shown)),
        charts=tuple(_charts(suite, item.metrics)),
        picture=_picture(suite) if item.pictures else "",
        groupings=groupings(suite.arms, suite.classes) if item.groups else (),
        bars=_class_bars(suite, item.by_class),
    )


def _columns(suite: SuiteReport, metrics: Sequence[str]) -> list[Column]:
    """Those of the metrics in print that some arm has, in the order of print."""
    measured = {column.metric: column for column in columns(suite.arms)}
    return [measured[metric] for metric in metrics if metric in measured]


def _head(column: Column) -> PaperHead:
    name, split = split_of(column.metric)
    return PaperHead(f"{name} ↓" if column.lower_is_better else name, split)


def _lines(suite: SuiteReport, shown: Sequence[Column]) -> Iterator[PaperLine]:
    for row in sorted(suite.rows, key=lambda row: row.arm.control):
        if any(column.metric in row.arm.metrics or column.metric in row.paper for column in shown):
            numbers = tuple(_paper_number(row, column) for column in shown)
            recipe = f"{suite.title}/{row.recipe}" if row.recipe else ""
            yield PaperLine(row.arm.name, numbers, recipe, row.arm.control)


def _charts(suite: SuiteReport, metrics: Sequence[str]) -> Iterator[Chart]:
    for sweep in suite.sweeps:
        if any(sweep.title.startswith(f"{metric} over ") for metric in metrics):
            yield line_chart(sweep.title, sweep.series)


def _class_bars(suite: SuiteReport, metric: str) -> ClassBars | None:
    labels = per_class(suite.arms).get(metric)
    if not labels:
        return None
    arms, values = bars(in_order(suite.arms), metric, labels)
    return ClassBars(metric, arms, values, hues_of(suite.arms))


def _picture(suite: SuiteReport) -> str:
    """A few images with the maps of every arm, those of its views, branches and layers before them."""
    data = ReportData(suite.title, suite.classes, suite.arms, gallery=suite.gallery)
    picture = contact_sheet(data, before_fusion=True)
    return "" if picture is None else data_uri(picture)


def _paper_number(row: SuiteRow, column: Column) -> PaperNumber:
    metric, value = column.metric, row.arm.metrics.get(column.metric)
    is_number = value is not None and math.isfinite(value)
    spread = f"± {column.number(row.spread[metric])}" if is_number and metric in row.spread else ""
    if metric not in row.paper:
        return PaperNumber(column.text(row.arm), value, spread)
    difference = "" if not is_number else column.number(row.difference(metric), sign=True)
    return PaperNumber(column.text(row.arm), value, spread, column.number(row.paper[metric]), difference)


def _number(value: float | None, nothing: str = NO_NUMBER) -> str:
    return nothing if value is None or math.isnan(value) else f"{value:.2f}"
