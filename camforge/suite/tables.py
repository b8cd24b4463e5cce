"""From the runs of one experiment, a seed each, to the suite's rows: mean, spread, the paper's number."""

from __future__ import annotations

import csv
import io
import math
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from camforge.pipeline.results import Results
from camforge.report.suite import SuiteReport, SuiteRow
from camforge.suite.sweeps import sweeps

Numbers = Mapping[str, float]
COLUMNS = ("experiment", "arm", "metric", "paper", "measured", "difference", "spread", "seeds", "minutes", "recipe")


def suite_report(runs: Sequence[Results], paper: Mapping[str, Numbers], page: Path, minutes: float) -> SuiteReport:
    """The runs of one experiment as one report: numbers are means over the seeds, pictures those of the first.

    page  where it will be written: recipes are linked from there
    """
    first = runs[0].report_data
    recipe = os.path.relpath(runs[0].folder / "manifest.json", page.parent)
    rows = []
    for place, arm in enumerate(first.arms):
        seeds = [run.report_data.arms[place].metrics for run in runs]
        mean, spread = mean_and_spread(seeds)
        seconds = [run.report_data.arms[place].seconds for run in runs]
        spent = [value for value in seconds if value is not None]
        arm = replace(arm, metrics=mean, seconds=statistics.fmean(spent) if spent else None)
        rows.append(SuiteRow(arm, paper.get(arm.name, {}), spread, recipe))
    arms = [row.arm for row in rows]
    seeds_told = f"{len(runs)} seeds" if len(runs) > 1 else f"seed {first.recipe['seed']}"
    about = ", ".join(part for part in (first.about.rstrip("."), f"{minutes:.1f} minutes", seeds_told) if part)
    return SuiteReport(
        first.title, first.classes, tuple(rows), about, first.recipe, sweeps(arms), first.gallery,
        minutes=minutes, left_out=first.left_out, notes=first.notes,
    )  # fmt: skip


def mean_and_spread(seeds: Sequence[Numbers]) -> tuple[dict[str, float], dict[str, float]]:
    """{metric: mean} over the seeds that have the number, and {metric: sample standard deviation} of two and more."""
    mean, spread = {}, {}
    for name in dict.fromkeys(name for numbers in seeds for name in numbers):
        values = [numbers[name] for numbers in seeds if math.isfinite(numbers.get(name, math.nan))]
        mean[name] = statistics.fmean(values) if values else math.nan
        if len(values) > 1:
            spread[name] = statistics.stdev(values)
    return mean, spread


def as_csv(tables: Sequence[SuiteReport], seeds: int) -> str:
    """Every number of every row, one per line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(line for table in tables for line in _lines(table, seeds))
    return text.getvalue()


def _lines(table: SuiteReport, seeds: int) -> Iterator[tuple[object, ...]]:
    for row in table.rows:
        for name, value in row.arm.metrics.items():
            difference = row.difference(name)
            yield (
                table.title, row.arm.name, name, row.paper.get(name, ""), value,
                "" if difference is None else difference, row.spread.get(name, ""), seeds,
                round(table.minutes, 2), row.recipe,
            )  # fmt: skip
