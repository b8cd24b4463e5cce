"""The geometry of the page's figures: numbers in, places to draw at out. The templates turn them into SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from camforge.report.data import ArmReport, TrainingCurve, ViewReport
from camforge.report.standing import NO_NUMBER, digits_of, written

CHART = (360, 170)  # width and height of a line chart, in SVG units
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 22  # its margins, where the numbers of the axes stand
ROW, COLUMN, HEAD = 24, 150, 30  # of a tree: height of a class, width of a level, height of the headings
HUES = 10  # colours h0 … h9 of the style sheet


@dataclass(frozen=True)
class Line:
    """One curve: ``points`` (x, y) of the drawing and what each says; ``path`` for an SVG polyline."""

    name: str
    hue: int
    points: tuple[tuple[float, float, str], ...]

    @property
    def path(self) -> str:
        """The points as SVG writes them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in self.points)


@dataclass(frozen=True)
class Chart:
    """Curves over one axis. ``across`` and ``up``: (place, text) of the ticks."""

    title: str
    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    width: int = CHART[0]
    height: int = CHART[1]


@dataclass(frozen=True)
class Node:
    """A group of a tree at (x, y): its classes, and the hue of the coarsest group it belongs to."""

    x: float
    y: float
    members: tuple[str, ...]
    hue: int


@dataclass(frozen=True)
class Tree:
    """Groups from the coarsest level (left) to the classes (right). ``edges``: pairs of nodes that share a class."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[Node, Node], ...]
    headings: tuple[tuple[float, str], ...]
    order: tuple[str, ...]
    width: int
    height: int


@dataclass(frozen=True)
class Bar:
    """One number of one arm. ``width`` in percent of the longest bar of its metric."""

    width: float
    text: str


def bars(
    arms: Sequence[ArmReport], metric: str, classes: Sequence[str]
) -> tuple[list[ArmReport], dict[str, list[Bar]]]:
    """The arms that have numbers per class, and {class: one bar for each of them}, from 0 to a round number."""
    shown = [arm for arm in arms if any(f"{metric}/{label}" in arm.metrics for label in classes)]
    values = {label: [arm.metrics.get(f"{metric}/{label}", math.nan) for arm in shown] for label in classes}
    finite = [value for row in values.values() for value in row if math.isfinite(value)]
    whole, digits = max(ticks([0.0, *finite])[-1], 1e-12), digits_of(finite)
    return shown, {label: [_bar(value, whole, digits) for value in row] for label, row in values.items()}


def _bar(value: float, whole: float, digits: int) -> Bar:
    if not math.isfinite(value):
        return Bar(0.0, NO_NUMBER)
    return Bar(round(max(0.0, value / whole) * 100, 2), written(value, digits))


def charts(curves: Sequence[TrainingCurve]) -> list[Chart]:
    """One chart per logged quantity, losses first and the learning rate last."""
    names = dict.fromkeys(key for curve in curves for epoch in curve.epochs for key in epoch if key != "epoch")
    ranked = sorted(names, key=lambda name: (name != "loss", name == "lr", "loss" not in name))
    series = {n: {c.name: [(e["epoch"], e[n]) for e in c.epochs if n in e] for c in curves} for n in ranked}
    return [line_chart(name, lines, whole=True) for name, lines in series.items()]


def line_chart(title: str, series: Mapping[str, Sequence[tuple[float, float]]], whole: bool = False) -> Chart:
    """{line: [(x, y), …]} -> Chart; numbers that are not finite are left out, the y axis holds 0 where it is near.

    whole  the x axis counts: no tick between two whole numbers
    """
    finite = {name: [(x, y) for x, y in points if math.isfinite(y)] for name, points in series.items()}
    everything = [point for points in finite.values() for point in points] or [(0.0, 0.0)]
    xs = ticks([x for x, _ in everything], near_zero=False, least=1.0 if whole else 0.0)
    ys = ticks([y for _, y in everything])
    place_x = _scale(min(x for x, _ in everything), max(x for x, _ in everything), LEFT, CHART[0] - RIGHT)
    place_y = _scale(ys[0], ys[-1], CHART[1] - BOTTOM, TOP)
    lines = (
        Line(name, i % HUES, tuple((place_x(x), place_y(y), f"{name}, {x:g}: {y:.4g}") for x, y in points))
        for i, (name, points) in enumerate(finite.items())
        if points
    )
    inside = [x for x in xs if min(x for x, _ in everything) <= x <= max(x for x, _ in everything)]
    return Chart(title, tuple(lines), tuple((place_x(x), f"{x:g}") for x in inside),
                 tuple((place_y(y), f"{y:.6g}") for y in ys))  # fmt: skip


def ticks(values: Sequence[float], near_zero: bool = True, least: float = 0.0) -> list[float]:
    """About four round numbers (1, 2, 5 times a power of ten) that enclose the values; 0 too where it is near.

    least  the smallest step between them
    """
    low, high = min(values), max(values)
    if near_zero and low > 0 and low < high / 2:
        low = 0.0
    span = (high - low) or abs(high) or 1.0
    power = 10 ** math.floor(math.log10(span / 3))
    step = max(least, min((power * m for m in (1, 2, 5, 10)), key=lambda s: abs(span / s - 4)))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{step * i:.12g}") for i in range(first, max(last, first + 1) + 1)]


def tree(views: Sequence[ViewReport], classes: Sequence[str]) -> Tree | None:
    """The levels as a tree; None where nothing is grouped or a level holds several problems (pairs of classes)."""
    levels = sorted((view for view in views if view.level > 0), key=lambda view: -view.level)
    if not levels or any(a.level == b.level for a, b in pairwise(levels)):
        return None
    order = sorted(classes, key=lambda name: [*(_group_of(view, name) for view in levels), classes.index(name)])
    rows = {name: HEAD + ROW * (i + 0.5) for i, name in enumerate(order)}
    columns = [[members for members in view.outputs if members] for view in levels] + [[(name,) for name in order]]
    hues = {name: _group_of(levels[0], name) % HUES for name in classes}
    drawn = [
        [Node(12 + i * COLUMN, sum(rows[m] for m in group) / len(group), group, hues[group[0]]) for group in column]
        for i, column in enumerate(columns)
    ]
    edges = ((a, b) for left, right in pairwise(drawn) for a in left for b in right if set(a.members) & set(b.members))
    headings = [f"{view.name}: {len(view.outputs)} groups" for view in levels] + [f"{len(classes)} classes"]
    return Tree(
        nodes=tuple(node for column in drawn for node in column),
        edges=tuple(edges),
        headings=tuple((12 + i * COLUMN, text) for i, text in enumerate(headings)),
        order=tuple(order),
        width=12 + COLUMN * len(drawn) + 30,
        height=HEAD + ROW * len(order) + 6,
    )


def _group_of(view: ViewReport, name: str) -> int:
    return next((i for i, members in enumerate(view.outputs) if name in members), len(view.outputs))


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)
