"""Who is best in what: the arms table as numbers, the same for the screen and the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from camforge.report.data import ArmReport

NO_NUMBER = "–"


@dataclass(frozen=True)
class Column:
    """One metric over all arms. ``best``: names of the arms (no controls) that share the best value.

    digits     after the point: three where every value is a fraction, otherwise two
    threshold  the name of the threshold that was chosen for this number, "" where none was
    """

    metric: str
    lower_is_better: bool
    digits: int
    best: frozenset[str]
    beaten_by: tuple[str, ...]
    threshold: str = ""

    def text(self, arm: ArmReport) -> str:
        """The arm's number as it is printed, with the threshold that it was reached at."""
        at = arm.metrics.get(self.threshold)
        return self.number(arm.metrics.get(self.metric)) + ("" if at is None else f" at {at:.3g}")

    def number(self, value: float | None, sign: bool = False) -> str:
        """Any number as this column prints it; ``sign`` writes a plus as well."""
        if value is None or not math.isfinite(value):
            return NO_NUMBER
        return f"{value:{'+' if sign else ''}.{self.digits}f}"

    @property
    def title(self) -> str:
        """The metric's name, marked where lower is better."""
        return f"{self.metric} ↓" if self.lower_is_better else self.metric


def in_order(arms: Iterable[ArmReport]) -> list[ArmReport]:
    """As given, controls last."""
    return sorted(arms, key=lambda arm: arm.control)


def columns(arms: Sequence[ArmReport]) -> list[Column]:
    """One per number that speaks of all classes, in the order of their first appearance; thresholds stand in it."""
    thresholds = {number: name for arm in arms for name, number in arm.thresholds.items() if name in arm.metrics}
    names = dict.fromkeys(name for arm in arms for name in arm.metrics if "/" not in name)
    return [_column(name, arms, thresholds.get(name, "")) for name in names if name not in thresholds.values()]


def per_class(arms: Sequence[ArmReport]) -> dict[str, list[str]]:
    """{metric: class names}, of the metrics that have a number per class."""
    found: dict[str, dict[str, None]] = {}
    for name in (name for arm in arms for name in arm.metrics if "/" in name):
        metric, _, label = name.partition("/")
        found.setdefault(metric, {})[label] = None
    return {metric: list(labels) for metric, labels in found.items()}


def _column(name: str, arms: Sequence[ArmReport], threshold: str) -> Column:
    sign = -1 if any(name in arm.lower_is_better for arm in arms) else 1
    values = {arm.name: arm.metrics[name] for arm in arms if math.isfinite(arm.metrics.get(name, math.nan))}
    raced = [values[arm.name] for arm in arms if not arm.control and arm.name in values]
    top = max((sign * value for value in raced), default=math.inf)
    return Column(
        metric=name,
        lower_is_better=sign < 0,
        digits=3 if all(abs(value) <= 1 for value in values.values()) else 2,
        best=frozenset(a.name for a in arms if not a.control and a.name in values and sign * values[a.name] == top),
        beaten_by=tuple(a.name for a in arms if a.control and a.name in values and sign * values[a.name] > top),
        threshold=threshold,
    )
