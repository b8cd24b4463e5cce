"""Where a run's time goes: reading, starting trainings, training, extraction, measurement, report.

python benchmarks/pipeline.py configs/quickstart.py --set report.images=12

Prints a table in wall and in processor time (of this process and those it started); with other programs on the
machine only the second says anything. "start a training" is what passes before a training's first step is done.
"""

from __future__ import annotations

import os
import time

BEGIN = time.perf_counter(), sum(os.times()[:4])

import argparse  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from typing import Any  # noqa: E402

import camforge.pipeline.run as run_module  # noqa: E402
from camforge.progress.progress import Progress  # noqa: E402

Seconds = tuple[float, float]
"""By the wall, of processors."""
STAGES = {"read": "read the images", "train": "train", "extract": "extract", "measure": "measure", "report": "report"}
START = "start a training"


def clock() -> Seconds:
    """Seconds since this process began."""
    return time.perf_counter() - BEGIN[0], sum(os.times()[:4]) - BEGIN[1]


class Timed(Progress):
    """Adds up every task's seconds by stage, those before a training's first step apart."""

    spent: dict[str, Seconds]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        Timed.spent = {"import and check the config": clock()} | dict.fromkeys((START, *STAGES.values()), (0.0, 0.0))

    @contextmanager
    def task(self, label: str) -> Iterator[Any]:
        stage = STAGES[label.split()[0]]
        since = clock()
        waiting = stage == "train"

        def tell(*told: Any) -> None:
            nonlocal since, waiting
            tick(*told)
            if waiting:
                waiting, since = False, self._add(START, since)

        with super().task(label) as tick:
            yield tell
        self._add(stage, since)

    def _add(self, stage: str, since: Seconds) -> Seconds:
        now, before = clock(), self.spent[stage]
        self.spent[stage] = before[0] + now[0] - since[0], before[1] + now[1] - since[1]
        return now


def table(spent: dict[str, Seconds], whole: Seconds) -> Iterator[str]:
    """Every stage and what is left, as Markdown."""
    rest = [w - sum(part[i] for part in spent.values()) for i, w in enumerate(whole)]
    yield "| | wall, s | share | processor, s | share |\n|---|---|---|---|---|"
    for name, (wall, processor) in {**spent, "between the stages": tuple(rest), "all": whole}.items():
        yield f"| {name} | {wall:.1f} | {wall / whole[0]:.1%} | {processor:.1f} | {processor / whole[1]:.1%} |"


def main() -> None:
    """Run the experiment in a folder of its own and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    asked = parser.parse_args()
    run_module.Progress = Timed  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        run_module.run(asked.config, overrides=asked.overrides, work_dir=folder, quiet=True)
    print("\n".join(table(Timed.spent, clock())))


if __name__ == "__main__":
    main()
