"""Runs of a tiny experiment, each a process of its own, and what was lost of one."""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import camforge.pipeline.run as run_module
from camforge.cli import main
from camforge.progress.progress import Progress
from camforge.store.maintenance import damaged

TINY = """
name = "tiny"
dataset = dict(name="partworld", size=32, train=80, val=24)
images = dict(size=32)
batch_size = 24
trainer = dict(name="single", epochs=3, lr=0.01, batch_size=16, schedule="constant",
               backbone=dict(name="small", stem=4, widths=[8, 8], strides=[2, 1], blocks=["plain", "plain"]))
extractor = dict(name="gradcam")
arms = {
    "families": dict(grouper=dict(name="kmeans_hierarchy", sizes=[4]), fusers=[dict(name="hierarchy", rest="image")]),
    "layers": dict(extractor=dict(name="layercam", layers="stages"), fusers=[dict(name="sum", axis="layer")]),
}
metrics = [dict(name="miou")]
report = dict(images=2)
"""
STAGES = ("read", "train", "extract", "measure", "report")
FORK = multiprocessing.get_context("fork")
Row = tuple[str, str, str]
NOTHING: Mapping[str, str | None] = {}


def as_it_is() -> None:
    """Change nothing of a run's surroundings."""


@dataclass
class Run:
    """One process of ``camforge``, its work directory, and the file with its words."""

    work: Path
    process: BaseProcess
    words: Path

    def end(self) -> int | None:
        """Wait for it; its exit code."""
        self.process.join()
        return self.process.exitcode

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.words.read_text()

    def in_one_line(self, *reasons: str) -> bool:
        """Whether it ended with exit code 2 and one line that gives a reason, after its plain lines."""
        last = self.said.splitlines()[-1:] or [""]
        told = last[0].startswith("camforge: ") and any(reason in last[0] for reason in reasons)
        return self.process.exitcode == 2 and told


@dataclass
class Lab:
    """A folder for runs, the undisturbed one, and how often each fault is tried.

    at  the stage that the latest run is in, an index of STAGES;  seconds  how long each stage takes
    """

    folder: Path
    times: int
    at: Any = field(default_factory=lambda: FORK.Value("i", -1, lock=False))
    whole: bytes = b""
    seconds: dict[str, float] = field(default_factory=dict)
    runs: int = 0

    @property
    def config(self) -> Path:
        """The experiment."""
        return self.folder / "tiny.py"

    def command(self, work: Path, *words: str, before: Callable[[], None] = as_it_is) -> Run:
        """Start ``camforge`` with these words. before: what its process does first."""
        self.at.value, self.runs = -1, self.runs + 1
        said = self.folder / f"{self.runs}.said"
        process = FORK.Process(target=_camforge, args=(words, said, self.at, before))
        process.start()
        return Run(work, process, said)

    def start(self, work: Path, *more: str, before: Callable[[], None] = as_it_is) -> Run:
        """Start ``camforge run``."""
        words = ("run", str(self.config), "--work-dir", str(work), "--device", "cpu", *more)
        return self.command(work, *words, before=before)

    def finish(self, work: Path, *more: str, before: Callable[[], None] = as_it_is) -> Run:
        """A run that is let alone, after its end."""
        run = self.start(work, *more, before=before)
        run.end()
        return run

    def fresh(
        self,
        work: Path,
        wrapper: Sequence[str] = (),
        environment: Mapping[str, str | None] = NOTHING,
        before: Callable[[], None] = as_it_is,
    ) -> Run:
        """Start ``camforge run`` in a new interpreter. environment: what changes, None: is unset."""

        def become() -> None:
            changed = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
            run = ("-m", "camforge", "run", str(self.config), "--work-dir", str(work), "--device", "cpu")
            command = [*wrapper, sys.executable, *run]
            before()
            os.execvpe(command[0], command, changed)

        return self.command(work, before=become)

    def new(self) -> Path:
        """A work directory that is not there yet."""
        return self.folder / f"work-{self.runs}"

    def reach(self, run: Run, stage: str) -> None:
        """Wait until the run has come to a stage, or has ended."""
        while self.at.value < STAGES.index(stage) and run.process.is_alive():
            time.sleep(0.01)

    def undisturbed(self) -> None:
        """The run that all others are compared with."""
        run, entered = self.start(self.new()), []
        for stage in STAGES:
            self.reach(run, stage)
            entered.append(time.perf_counter())
        if run.end() != 0:
            raise SystemExit(run.said)
        entered.append(time.perf_counter())
        self.seconds = {stage: entered[i + 1] - entered[i] for i, stage in enumerate(STAGES)}
        self.whole = (run.work / "results.json").read_bytes()

    def lost(self, work: Path, store: Path | None = None) -> bool:
        """Whether a run's numbers are not those of the undisturbed one, or a stage of it is damaged."""
        results = work / "results.json"
        same = results.is_file() and results.read_bytes() == self.whole
        return not same or bool(damaged(store or work / "store"))

    def row(self, fault: str, tried: str, lost: int, times: int | None = None) -> Row:
        """A line of the table."""
        return fault, tried, "nothing" if not lost else f"**{lost} of {times or self.times} differ**"


def _camforge(words: Sequence[str], said: Path, at: Any, before: Callable[[], None]) -> None:
    os.setsid()  # Ctrl-C goes to a group of processes
    file = os.open(said, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    _tell_stages(at)
    before()
    sys.argv = ["camforge", *words]
    try:
        main()
    finally:  # a process that was forked waits for idle workers, for minutes; one that a shell starts ends them
        for worker in multiprocessing.active_children():
            worker.terminate()  # a worker of joblib knows no kill()


def _tell_stages(at: Any) -> None:
    """Have this process write down which stage it is in."""
    task, build = Progress.task, run_module.build_report_data

    def named(self: Progress, label: str) -> Any:
        stage = label.split()[0]
        if stage in STAGES:
            at.value = max(at.value, STAGES.index(stage))
        return task(self, label)

    def reported(*arguments: Any) -> Any:
        at.value = STAGES.index("report")
        return build(*arguments)

    Progress.task, run_module.build_report_data = named, reported  # type: ignore[method-assign]


def little_memory(allowed: int) -> Callable[[], None]:
    """A run's surroundings: ``allowed`` MiB beside what its process holds."""

    def limit() -> None:
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + (allowed << 20),) * 2)

    return limit


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[Path]:
    """A disk of ``size`` bytes."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    """Change a mounted disk."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)
