"""Tables of contenders that take turns on a device, and the goals beside them."""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass

import torch
from contenders import Run


@dataclass(frozen=True)
class Given:
    """Where and how much is measured."""

    device: torch.device
    quick: bool
    rounds: int

    @property
    def size(self) -> int:
        return 32 if self.quick else 224

    def images(self, count: int) -> int:
        return min(count, 2) if self.quick else count

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


@dataclass(frozen=True)
class Goal:
    """The time of ``over`` divided by that of ``under`` is to be at most ``limit``, or with ``least`` at least."""

    work: str
    over: str
    under: str
    limit: float
    least: bool = False

    def row(self, ratio: float) -> str:
        reached = ratio >= self.limit if self.least else ratio <= self.limit
        said = "reached" if reached else f"missed by {abs(ratio - self.limit):.2f}"
        return f"| {self.work} | {'>=' if self.least else '<='} {self.limit:g} | {ratio:.2f} | {said} |"


@dataclass(frozen=True)
class Table:
    """Contenders by name, the first of them what ratios are to, and the goals."""

    title: str
    contenders: dict[str, Run]
    goals: tuple[Goal, ...] = ()


def measure(table: Table, given: Given, rounds: int) -> tuple[str, list[str]]:
    """Median milliseconds and ratios to the first contender, with quartiles where rounds allow; the goals."""
    times: dict[str, list[float]] = {name: [] for name in table.contenders}
    for number in range(-1, rounds):
        order = random.Random(number).sample(list(table.contenders), len(times))
        for name in order:
            given.wait()
            start = time.perf_counter()
            table.contenders[name]()
            given.wait()
            if number >= 0:
                times[name].append(time.perf_counter() - start)
    first = next(iter(times))
    lines = [f"### {table.title}", "", f"Rounds: {rounds}.", "", "| | ms | ratio |", "|---|---|---|"]
    for name, seconds in times.items():
        lines.append(f"| {name} | {1000 * statistics.median(seconds):.2f} | {_spread(_ratios(times, name, first))} |")
    goals = [goal.row(statistics.median(_ratios(times, goal.over, goal.under))) for goal in table.goals]
    return "\n".join(lines) + "\n", goals


def _ratios(times: dict[str, list[float]], over: str, under: str) -> list[float]:
    return [a / b for a, b in zip(times[over], times[under], strict=True)]


def _spread(ratios: list[float]) -> str:
    if len(ratios) < 4:
        return f"{statistics.median(ratios):.2f}"
    low, middle, high = statistics.quantiles(ratios)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"
