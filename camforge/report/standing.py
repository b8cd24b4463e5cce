"""Who is best in what: the arms table as numbers, the same for the screen and the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from camforge.report.data import ArmReport

NO_NUMBER = "–"


@dataclass(frozen=True)
class Column:
    """One metric over all arms. ``best``: names of the arms (no controls) that share the best value as it is printed.

    digits     after the point: two, for fractions three, for smaller numbers as many as show three that count
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
        return written(value, self.digits, "+" if sign else "")

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
    digits = digits_of(values.values())
    ranked = not any(name in arm.undirected for arm in arms)
    raced = [arm for arm in arms if ranked and not arm.control and arm.name in values]
    top = max((sign * values[arm.name] for arm in raced), default=math.inf)
    best = written(sign * top, digits)
    return Column(
        metric=name,
        lower_is_better=sign < 0,
        digits=digits,
        best=frozenset(a.name for a in raced if written(values[a.name], digits) == best),
        beaten_by=tuple(a.name for a in arms if a.control and a.name in values and sign * values[a.name] > top),
        threshold=threshold,
    )


def digits_of(values: Iterable[float]) -> int:
    """After the point: two, for fractions three, for smaller numbers as many as show three that count."""
    largest = max(map(abs, values), default=1.0)
    if largest > 1:
        return 2
    return 3 if largest == 0 else min(8, max(3, 2 - math.floor(math.log10(largest))))


def written(value: float, digits: int, sign: str = "") -> str:
    """With that many digits, or with an exponent where they would show nothing of it or more than it has."""
    text = f"{value:{sign}.{digits}f}"
    lost = value != 0 and float(text) == 0
    return f"{value:{sign}.2e}" if lost or abs(value) >= 1e7 else text


def duration(seconds: float | None) -> str:
    """Seconds as they are read: 0.42, 8.3, 125."""
    if seconds is None or not math.isfinite(seconds):
        return NO_NUMBER
    return f"{seconds:.{2 if seconds < 1 else 1 if seconds < 10 else 0}f}"
