"""The live view of an experiment: how far each stage is, the task at hand, its pace, and the memory in use."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Self

import torch
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

PER_SECOND = 4  # drawings
BAR = 24  # letters


@dataclass
class Count:
    """How much of something is done; ``start`` and ``now`` in seconds of one clock.

    unit    of what is counted, where its pace is shown
    before  what was done already when it began: a training that goes on where it was
    said    when a line told of it last
    """

    start: float
    unit: str = ""
    done: int = 0
    total: int | None = None
    before: int = 0
    logs: Mapping[str, float] = field(default_factory=dict)
    end: float | None = None
    said: float = field(init=False)

    def __post_init__(self) -> None:
        self.said = self.start

    def update(self, done: int, total: int, now: float) -> None:
        """The pace and the time left are worked out from what was done since the first update."""
        if self.total is None:
            self.before, self.start = done, now
        self.done, self.total = done, total
        self.end = now if done == total else None

    def rate(self, now: float) -> float | None:
        """Per second."""
        spent, made = now - self.start, self.done - self.before
        return made / spent if made > 0 and spent > 0 else None

    def left(self, now: float) -> float | None:
        """Seconds, where the pace stays."""
        rate = self.rate(now)
        return None if rate is None or self.total is None else (self.total - self.done) / rate


class TerminalView:
    """Drawn on the console until the block ends; lines that are printed meanwhile stand above it.

    stages  by name in their order, None where one has not begun;  task  the label and count of what is at work
    """

    def __init__(self, console: Console, title: str, stages: Sequence[str]) -> None:
        self.title, self.start = title, time.perf_counter()
        self.stages: dict[str, Count | None] = dict.fromkeys(stages)
        self.task: tuple[str, Count] | None = None
        self._live = Live(get_renderable=self.drawn, console=console, transient=True, refresh_per_second=PER_SECOND)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def drawn(self) -> Group:
        """The view as it stands now."""
        now = time.perf_counter()
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=max(map(len, self.stages), default=0))
        for name, stage in self.stages.items():
            table.add_row(*_stage_row(name, stage, now))
        parts = [table] if self.stages else []
        return Group(*self._heading(now), *parts, *self._at_hand(now))

    def _heading(self, now: float) -> Iterator[Text]:
        if self.title:
            held = "".join(f", {amount}" for amount in memory())
            yield Text.assemble((self.title, "bold"), f"  {clock(now - self.start)}{held}", overflow="ellipsis")

    def _at_hand(self, now: float) -> Iterator[Text | Table]:
        if self.task is None:
            return
        label, count = self.task
        yield Text(label, "cyan", overflow="ellipsis", no_wrap=True)
        row = Table.grid(padding=(0, 2))
        row.add_row(_bar(count), Text(", ".join(written(count, now)), overflow="ellipsis", no_wrap=True))
        yield row


def _stage_row(name: str, stage: Count | None, now: float) -> tuple[Text, ProgressBar, Text, Text]:
    if stage is None:
        return Text(name, "dim"), ProgressBar(total=1, width=BAR), Text(""), Text("")
    left = stage.left(now)
    message = clock(stage.end - stage.start) if stage.end else "" if left is None else f"about {clock(left)} left"
    return Text(name), _bar(stage), Text(f"{stage.done}/{stage.total}", justify="right"), Text(message)


def _bar(count: Count) -> ProgressBar:
    return ProgressBar(total=count.total, completed=count.done, width=BAR, pulse=count.total is None)


def written(count: Count, now: float) -> Iterator[str]:
    """How far, how fast, how long yet, and what was logged: 512/8000, 123 images/s, 0:01:01 left, loss 0.31."""
    rate, left = count.rate(now), count.left(now)
    if count.total is not None:
        yield f"{count.done}/{count.total}"
    if rate is not None and count.unit:
        yield f"{rate:.3g} {count.unit}/s"
    if left is not None:
        yield f"{clock(left)} left"
    yield from (f"{name} {value:.3g}" for name, value in count.logs.items())


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: 0:01:01."""
    return str(timedelta(seconds=round(seconds)))


def memory() -> Iterator[str]:
    """What this process holds now, where the system tells it (Linux), and of a GPU that it uses."""
    held = Path("/proc/self/statm")
    if held.exists():
        yield f"{int(held.read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB"
    if torch.cuda.is_initialized():
        yield f"{torch.cuda.memory_reserved() / 2**30:.1f} GiB on the GPU"
