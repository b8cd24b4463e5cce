"""The tables of a suite on the screen and as pages, the papers' numbers beside the measured ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor

from camforge.files import write_atomically
from camforge.maps import max_normalise, resize
from camforge.pictures import data_uri, overlay
from camforge.report.data import ArmReport, GalleryImage, ReportData
from camforge.report.figures import Chart, line_chart
from camforge.report.gallery import BUDGET, shrink
from camforge.report.page import context_of, render_template
from camforge.report.standing import Column, columns
from camforge.report.table import add_names, add_numbers, asides, remarks, show
from camforge.types import IGNORED

EXTREMES = 3  # best and as many worst images of each method
PICTURE = 224  # pixels of their longer side
STEPS = torch.arange(21) / 20  # thresholds of the curves


@dataclass(frozen=True)
class SuiteRow:
    """One method. ``arm.metrics`` hold the mean over seeds, ``spread`` the deviation, ``paper`` the published numbers.

    recipe  the manifest's or report's path relative to the page, "" where there is none
    page    its extractor's page, relative to the suite's folder
    """

    arm: ArmReport
    paper: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, float] = field(default_factory=dict)
    recipe: str = ""
    page: str = ""

    def difference(self, metric: str) -> float | None:
        """Measured minus published, None where one of the two is missing."""
        if metric not in self.paper or metric not in self.arm.metrics:
            return None
        return self.arm.metrics[metric] - self.paper[metric]


@dataclass(frozen=True)
class Sweep:
    """One quantity over another, e.g. mIoU over the threshold or delta: {method: [(x, y), …]}."""

    title: str
    series: Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True, eq=False)
class SuiteReport:
    """One experiment of a suite, for its page; the fields not told here as in ``ReportData``.

    minutes  that its runs took, all seeds together
    """

    title: str
    classes: tuple[str, ...]
    rows: tuple[SuiteRow, ...]
    about: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    sweeps: tuple[Sweep, ...] = ()
    gallery: tuple[GalleryImage, ...] = ()
    threshold: float = 0.15
    minutes: float = 0.0
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple[ArmReport, ...]:
        """The rows without what papers say."""
        return tuple(row.arm for row in self.rows)

    @property
    def as_report(self) -> ReportData:
        """As an experiment's page takes it."""
        return ReportData(
            self.title, self.classes, self.arms, self.about, self.recipe, self.gallery, threshold=self.threshold,
            left_out=self.left_out, notes=self.notes,
        )  # fmt: skip

    @property
    def in_paper(self) -> set[str]:
        """The metrics of which a paper gives a number."""
        return {metric for row in self.rows for metric in row.paper}


@dataclass(frozen=True)
class TableEntry:
    """One table of the front page, and where its own page lies, relative to it."""

    suite: SuiteReport
    address: str

    @property
    def folder(self) -> str:
        """Where the own page lies, with a slash."""
        return f"{self.address.rpartition('/')[0]}/" if "/" in self.address else ""

    @property
    def columns(self) -> list[Column]:
        """The table's columns."""
        return columns(self.suite.arms)

    @property
    def remarks(self) -> list[str]:
        """What a reader of the table must not overlook."""
        return remarks(self.suite.as_report)

    @property
    def asides(self) -> list[str]:
        """What a reader of one row must not overlook."""
        return asides(self.suite.as_report)


@dataclass(frozen=True)
class Front:
    """The first page of a suite: every table. ``failures``: {experiment: why it did not finish}."""

    title: str
    tables: tuple[TableEntry, ...]
    about: str = ""
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Extreme:
    """One of the images that a method does best or worst."""

    image: str
    label: str
    iou: float
    address: str


@dataclass(frozen=True, eq=False)
class ImageScore:
    """How a method does on one image of the gallery and class: ``ious`` at STEPS, then at the suite's threshold."""

    place: int
    label: int
    ious: Tensor

    @property
    def iou(self) -> float:
        """At the suite's threshold."""
        return float(self.ious[-1])


def write_suite(path: Path | str, suite: SuiteReport) -> Path:
    """Write the suite's page as one HTML file."""
    return write_atomically(path, render_suite(suite).encode())


def render_suite(suite: SuiteReport, budget: int = BUDGET) -> str:
    """The page's text."""
    context = context_of(suite.as_report, budget)
    scores = {arm.name: _image_scores(suite, arm.name) for arm in suite.arms}
    context |= {"suite": suite, "sweeps": _charts(suite, scores), "extremes": _extremes(suite, scores)}
    return render_template("suite.html", **context)


def write_front(path: Path | str, front: Front) -> Path:
    """Write the first page of a suite as one HTML file."""
    return write_atomically(path, render_template("front.html", front=front).encode())


def suite_table(suite: SuiteReport) -> Table:
    """The table on the screen: measured ± spread, the paper's number and the difference."""
    table = Table(title=Text(suite.title), title_justify="left", header_style="bold")
    add_names(table, "method", [arm.name for arm in suite.arms])
    rows = sorted(suite.rows, key=lambda row: row.arm.control)
    written = [written for column in columns(suite.arms) for written in _written(column, rows)]
    for title, texts in written:
        add_numbers(table, title, [text.plain for text in texts])
    for i, row in enumerate(rows):
        table.add_row(Text(row.arm.name), *(texts[i] for _, texts in written), style="dim" if row.arm.control else None)
    return table


def _written(column: Column, rows: Sequence[SuiteRow]) -> list[tuple[str, list[Text]]]:
    """(heading, one text per row): what was measured and, where papers speak of it, their number and the difference."""
    name = column.metric
    spreads = [f" ± {column.number(row.spread[name])}" if name in row.spread else "" for row in rows]
    measured = [
        Text(column.text(row.arm) + spread, "bold" if row.arm.name in column.best else "")
        for row, spread in zip(rows, spreads, strict=True)
    ]
    if not any(name in row.paper for row in rows):
        return [(column.title, measured)]
    paper = [Text(column.number(row.paper.get(name))) for row in rows]
    difference = [Text(column.number(row.difference(name), sign=True)) for row in rows]
    return [(column.title, measured), ("paper", paper), ("difference", difference)]


def print_suite(suite: SuiteReport, console: Console | None = None) -> None:
    """The table, on the console given or on the screen."""
    console = console or Console()
    show(suite_table(suite), console)
    for line in asides(suite.as_report) + remarks(suite.as_report):
        console.print(Text(line))


def _charts(suite: SuiteReport, scores: Mapping[str, Sequence[ImageScore]]) -> list[Chart]:
    """The sweeps, and beside them what the images shown say of the threshold."""
    means = {
        arm: list(zip(STEPS.tolist(), torch.stack([score.ious for score in of_arm]).mean(0)[:-1].tolist(), strict=True))
        for arm, of_arm in scores.items()
        if of_arm
    }
    own = [Sweep(f"mean mask IoU over the threshold, {len(suite.gallery)} images", means)] if means else []
    return [line_chart(sweep.title, sweep.series) for sweep in (*suite.sweeps, *own)]


def _extremes(suite: SuiteReport, scores: Mapping[str, Sequence[ImageScore]]) -> dict[str, dict[str, list[Extreme]]]:
    """{method: {"best": …, "worst": …}}, of the images that have masks."""
    found = {}
    for arm, of_arm in scores.items():
        ranked = sorted(of_arm, key=lambda score: -score.iou)
        half = min(EXTREMES, (len(ranked) + 1) // 2)
        ends = {"best": ranked[:half], "worst": ranked[half:][-EXTREMES:]}
        if ranked:
            found[arm] = {end: [_extreme(suite, arm, score) for score in some] for end, some in ends.items()}
    return found


def _image_scores(suite: SuiteReport, arm: str) -> list[ImageScore]:
    """Of every image and class with a truth."""
    thresholds = torch.cat([STEPS, torch.tensor([suite.threshold])])
    return [
        ImageScore(place, label, _ious(image.maps[arm][label], image.mask, label, thresholds))
        for place, image in enumerate(suite.gallery)
        for label in image.maps.get(arm, {})
        if image.mask is not None and bool((image.mask == label + 1).any())
    ]


def _ious(values: Tensor, mask: Tensor, label: int, thresholds: Tensor) -> Tensor:
    """(h, w) raw map -> (T,) mask IoU of its seeds, ``seed_mask`` at every threshold, with the class's truth."""
    scaled = max_normalise(resize(values.float(), mask.shape))
    seeds = (scaled >= thresholds[:, None, None]) & (scaled > 0)
    truth, counted = mask == label + 1, mask != IGNORED
    return (seeds & truth).sum((1, 2)) / ((seeds | truth) & counted).sum((1, 2))


def _extreme(suite: SuiteReport, arm: str, score: ImageScore) -> Extreme:
    image = suite.gallery[score.place]
    picture = overlay(shrink(image.image.float(), PICTURE).byte(), image.maps[arm][score.label])
    return Extreme(image.id, suite.classes[score.label], score.iou, data_uri(picture))
