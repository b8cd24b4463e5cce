"""How far every metric is from what its own tests hold it against, at most.

The tests of metrics run once, with a ``pytest.approx`` that notes how far the two sides are apart. A difference belongs
to the metric that computed a number last. Tests that hold a metric against itself (other batches, another order) are
left out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from camforge.api import Metric
from camforge.host.registry import registry

TESTS = Path(__file__).resolve().parents[1] / "tests/metrics"
ITSELF = "test_every_metric.py"
REAL = pytest.approx


class Differences:
    """The largest difference of each metric, |ours - theirs| / max(1, |theirs|); ``now`` computed last."""

    def __init__(self) -> None:
        self.largest: dict[str, float] = defaultdict(float)
        self.now = ""

    def watch(self, cls: type[Metric]) -> None:
        """Know when a metric has computed."""
        compute = cls.compute

        @wraps(compute)
        def noted(metric: Metric, *arguments: Any, **more: Any) -> Any:
            self.now = cls.name
            self.largest[cls.name] += 0
            return compute(metric, *arguments, **more)

        cls.compute = noted  # type: ignore[method-assign]

    def approx(self, expected: Any, **bounds: Any) -> Compared:
        """What stands for ``pytest.approx``."""
        return Compared(expected, REAL(expected, **bounds), self.note)

    def note(self, ours: Any, theirs: Any) -> None:
        for a, b in _numbers(ours, theirs):
            if math.isfinite(a) and math.isfinite(b):
                self.largest[self.now] = max(self.largest[self.now], abs(a - b) / max(1, abs(b)))


class Compared:
    """An expected number that notes what it is compared with."""

    __array_ufunc__ = None  # an array leaves the comparison to this side
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, expected: Any, real: Any, note: Callable[[Any, Any], None]) -> None:
        self.expected, self.real, self.note = expected, real, note

    def __eq__(self, other: object) -> bool:
        self.note(other, self.expected)
        return bool(other == self.real)

    def __repr__(self) -> str:
        return repr(self.real)


def _numbers(ours: Any, theirs: Any) -> Iterator[tuple[float, float]]:
    if isinstance(theirs, Mapping):
        yield from ((float(ours[key]), float(value)) for key, value in theirs.items() if key in ours)
    elif isinstance(theirs, Sequence) or getattr(theirs, "ndim", 0):
        yield from zip(map(float, ours), map(float, theirs), strict=False)
    else:
        yield float(ours), float(theirs)


def measured_differences() -> dict[str, float]:
    """The largest difference of every metric that the tests compute. Raises SystemExit where a test fails."""
    found = Differences()
    for plugin in registry().plugins["metric"].values():
        found.watch(plugin.cls)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytest, "approx", found.approx)
        code = pytest.main(["-q", "-p", "no:cacheprovider", "--ignore", str(TESTS / ITSELF), str(TESTS)])
    if code:
        raise SystemExit(f"the tests of metrics fail: {code!r}")
    return dict(found.largest)
