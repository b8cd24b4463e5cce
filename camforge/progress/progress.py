"""What a person sees while an experiment runs: one live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from camforge.files import append_line
from camforge.progress.terminal import Count, TerminalView, written

Tick = Callable[..., None]
T = TypeVar("T")
LINE_EVERY = 20.0  # seconds between lines where there is no terminal


class Progress:
    """Stages, tasks and lines. ``quiet`` prints nothing; ``log`` keeps every line, with its time.

    seconds  what the tasks took, by their labels
    spent    what each row of the table took, what rows share in each
    """

    def __init__(self, quiet: bool = False, console: Console | None = None, log: Path | None = None) -> None:
        self.console = console or Console(stderr=True, quiet=quiet)
        self.seconds: dict[str, float] = {}
        self.spent: dict[str, float] = {}
        self.log = log
        self._view: TerminalView | None = None

    @property
    def is_live(self) -> bool:
        """Whether the live view is on the terminal: then nothing else should be written there."""
        return self._view is not None

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
        if self.log is not None:
            append_line(self.log, f"{datetime.now().astimezone().isoformat(timespec='seconds')} {line}")

    @contextmanager
    def experiment(self, title: str, stages: Sequence[str]) -> Iterator[None]:
        """Within the block a terminal shows the whole experiment: every stage, and the task at hand."""
        if self.is_live or self.console.quiet or not self.console.is_interactive:
            yield
            return
        try:
            with TerminalView(self.console, title, stages) as self._view:
                yield
        finally:
            self._view = None

    def track(self, stage: str, items: Collection[T]) -> Iterator[T]:
        """The items, one after another, counted as the stage's when they are dealt with."""
        tick = self.counting(stage)
        tick(0, len(items))
        for done, item in enumerate(items, start=1):
            yield item
            tick(done, len(items))

    @contextmanager
    def spent_on(self, rows: Collection[str]) -> Iterator[None]:
        """The seconds of the block count for each of the rows."""
        start = time.perf_counter()
        yield
        passed = time.perf_counter() - start
        self.spent |= {row: self.spent.get(row, 0.0) + passed for row in rows}

    def counting(self, stage: str) -> Tick:
        """tick(done, total) of a stage whose items may become more."""
        count = Count(time.perf_counter())
        if self._view is not None:
            self._view.stages[stage] = count

        def tick(done: int, total: int) -> None:
            count.update(done, total, time.perf_counter())
            self._now_and_then(stage, count)

        return tick

    @contextmanager
    def task(self, label: str) -> Iterator[Tick]:
        """Yields tick(done, total, logs={}), in images; a line tells the end. Adds up the seconds."""
        start = time.perf_counter()
        count = Count(start, unit="images")

        def tick(done: int, total: int, logs: Mapping[str, float] | None = None) -> None:
            count.update(done, total, time.perf_counter())
            count.logs = logs or {}
            self._now_and_then(label, count)

        with self.experiment("", ()), self._at_hand(label, count):
            yield tick
        spent = time.perf_counter() - start
        self.seconds[label] = self.seconds.get(label, 0.0) + spent
        self.say(f"{label}: {spent:.1f} s")

    @contextmanager
    def _at_hand(self, label: str, count: Count) -> Iterator[None]:
        """The task that the view shows."""
        if self._view is None:
            yield
            return
        self._view.task = label, count
        try:
            yield
        finally:
            self._view.task = None

    def _now_and_then(self, label: str, count: Count) -> None:
        """Where there is no terminal, a line."""
        now = time.perf_counter()
        if not self.is_live and count.done != count.total and now - count.said >= LINE_EVERY:
            count.said = now
            self.say(f"{label}: {', '.join(written(count, now))}")
