"""What a person sees while an experiment runs: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

Tick = Callable[..., None]
LINE_EVERY = 20.0  # seconds between lines where there is no terminal


class Progress:
    """One line per stage, with its time left. ``quiet`` prints nothing; ``log`` keeps every line, with its time."""

    def __init__(self, quiet: bool = False, console: Console | None = None, log: Path | None = None) -> None:
        self.console = console or Console(stderr=True, quiet=quiet)
        self.seconds: dict[str, float] = {}
        self.log = log

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {line}\n")

    @contextmanager
    def task(self, label: str) -> Iterator[Tick]:
        """Yields tick(done, total, logs={}): a bar on a terminal; elsewhere a line at the end. Adds up the seconds."""
        start = time.perf_counter()
        with self._bar(label) if self.console.is_terminal else self._lines(label) as tick:
            yield tick
        spent = time.perf_counter() - start
        self.seconds[label] = self.seconds.get(label, 0.0) + spent
        self.say(f"{label}: {spent:.1f} s")

    @contextmanager
    def _bar(self, label: str) -> Iterator[Tick]:
        counts = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        times = (TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[logs]}", markup=False))
        with Bars(*counts, *times, console=self.console, transient=True) as bars:
            bar = bars.add_task(label, total=None, logs="")

            def tick(done: int, total: int, logs: Mapping[str, float] | None = None) -> None:
                shown = " ".join(f"{name} {value:.3g}" for name, value in (logs or {}).items())
                bars.update(bar, completed=done, total=total, logs=shown)

            yield tick

    @contextmanager
    def _lines(self, label: str) -> Iterator[Tick]:
        start = last = time.perf_counter()

        def tick(done: int, total: int, logs: Mapping[str, float] | None = None) -> None:
            nonlocal last
            now = time.perf_counter()
            if now - last >= LINE_EVERY:
                last = now
                left = (now - start) / done * (total - done)
                shown = "".join(f", {name} {value:.3g}" for name, value in (logs or {}).items())
                self.say(f"{label}: {done}/{total}, {left:.0f} s left{shown}")

        yield tick
