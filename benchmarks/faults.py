"""Faults, tried for real on a tiny experiment: what was tried, and what was lost.

    OMP_NUM_THREADS=1 python benchmarks/faults.py [--times 10] [--only kills disk …]

A run is a process of its own that is killed, interrupted, or given a full disk or little memory; then the same run is
started again. Nothing is lost where its results.json has the bytes of an undisturbed run and no stage in its store is
damaged. Linux; a full and a read-only disk are tmpfs mounts, which only root may make.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

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
LARGER = [
    "images.size=96", "dataset.train=40", "dataset.val=96", "batch_size=96",
    "trainer.backbone.widths=[64,64]", "trainer.batch_size=4", "trainer.epochs=1",
]  # fmt: skip
STAGES = ("read", "train", "extract", "measure", "report")
FORK = multiprocessing.get_context("fork")
Row = tuple[str, str, str]


@dataclass
class Run:
    """One process of ``camforge run``, and the file with its words."""

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

    def start(self, work: Path, *more: str, memory: int | None = None) -> Run:
        """Start a run. memory: MiB that it may take beside what this process holds."""
        self.at.value, self.runs = -1, self.runs + 1
        words = self.folder / f"{self.runs}.said"
        process = FORK.Process(target=_camforge, args=(self.folder / "tiny.py", work, more, words, self.at, memory))
        process.start()
        return Run(work, process, words)

    def finish(self, work: Path, *more: str, memory: int | None = None) -> Run:
        """A run that is let alone, after its end."""
        run = self.start(work, *more, memory=memory)
        run.end()
        return run

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


def _camforge(config: Path, work: Path, more: tuple[str, ...], words: Path, at: Any, memory: int | None) -> None:
    os.setsid()  # Ctrl-C goes to a group of processes
    file = os.open(words, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    _tell_stages(at)
    if memory is not None:
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + (memory << 20),) * 2)
    sys.argv = ["camforge", "run", str(config), "--work-dir", str(work), "--device", "cpu", *more]
    main()


def _tell_stages(at: Any) -> None:
    """Have this process write down which stage it is in."""
    task, report_data = Progress.task, run_module.report_data

    def named(self: Progress, label: str) -> Any:
        at.value = max(at.value, STAGES.index(label.split()[0]))
        return task(self, label)

    def reported(*arguments: Any) -> Any:
        at.value = STAGES.index("report")
        return report_data(*arguments)

    Progress.task, run_module.report_data = named, reported  # type: ignore[method-assign]


def kills(lab: Lab) -> Iterator[Row]:
    """Each run is killed in one stage after another, started again each time, and let finish at last.

    In a stage: at a random moment of the time that it took the undisturbed run, from when the run has come to it.
    """
    killed: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for _ in range(lab.times):
        work, hit = lab.new(), []
        for stage in STAGES:
            run = lab.start(work)
            lab.reach(run, stage)
            time.sleep(random.uniform(0, lab.seconds[stage]))
            run.process.kill()
            if run.end() == -signal.SIGKILL:
                hit.append(stage)
        lab.finish(work)
        killed.update(hit)
        lost.update(hit if lab.lost(work) else ())
    for stage in STAGES:
        yield lab.row(f"kill -9 in {stage}", f"{killed[stage]} kills in {lab.times} runs", lost[stage])


def interrupts(lab: Lab) -> Iterator[Row]:
    """Ctrl-C at a random moment: how long until the run ends, and what it says."""
    took, lost, told, over = [], 0, 0, 0
    for _ in range(lab.times):
        run = lab.start(lab.new())
        lab.reach(run, "read")
        time.sleep(random.uniform(0, sum(lab.seconds.values()) * 0.9))
        start = time.perf_counter()
        with suppress(ProcessLookupError):  # it has ended
            os.killpg(run.process.pid or 0, signal.SIGINT)
        code = run.end()
        took.append(time.perf_counter() - start)
        told += code == 130 and run.said.endswith("stopped; the same command goes on where it was\n")
        over += code == 0
        lab.finish(run.work)
        lost += lab.lost(run.work)
    tried = f"{told} of {lab.times - over} stopped and said how to go on, the slowest after {max(took):.1f} s"
    yield lab.row("Ctrl-C", tried, lost)


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


def disks(lab: Lab) -> Iterator[Row]:
    """Disks that are too small and then large enough; a disk that is read-only, after a kill and after the end."""
    if os.geteuid():
        yield "full disk, read-only disk", "not tried: only root may mount a tmpfs", "unknown"
        return
    need = sum(path.stat().st_blocks * 512 for path in lab.finish(lab.new()).work.rglob("*"))
    lost = clear = 0
    for i in range(lab.times):
        with tmpfs(lab.folder / f"full-{i}", int(need * (i + 0.5) / lab.times)) as place:
            run = lab.finish(place / "w")
            clear += _in_one_line(run, "No space left on device")
            remount(place, f"size={8 * need}")
            lab.finish(place / "w")
            lost += lab.lost(place / "w")
    tried = f"{lab.times} sizes up to what is needed, {clear} runs ended with the reason in one line"
    yield lab.row("full disk", tried, lost)
    with tmpfs(lab.folder / "read-only", 8 * need) as place:
        run = lab.start(place / "w")
        lab.reach(run, "extract")
        run.process.kill()
        run.end()
        remount(place, "ro")
        clear = _in_one_line(lab.finish(place / "w"), "Read-only file system")
        remount(place, "rw")
        lab.finish(place / "w")
        lost = int(lab.lost(place / "w"))
        remount(place, "ro")
        clear += _in_one_line(lab.finish(place / "w"), "Read-only file system")
        lost += lab.lost(place / "w")
        yield lab.row("read-only disk", f"2 runs, {clear} ended with the reason in one line", lost, 2)


def _in_one_line(run: Run, reason: str) -> bool:
    """Whether a run ended with exit code 2 and one line that gives the reason, after its plain lines."""
    last = run.said.splitlines()[-1:] or [""]
    return run.process.exitcode == 2 and last[0].startswith("camforge: ") and reason in last[0]


def damage(lab: Lab) -> Iterator[Row]:
    """Every file of a finished store, then a checkpoint: one byte flipped, or the end cut off."""
    for name, harm in HARMS.items():
        work = lab.finish(lab.new()).work
        files = [path for path in work.glob("store/*-*/*") if path.parent.suffix != ".unfinished"]
        for path in files:
            harm(path)
        told = lab.finish(work).said.count("is damaged")
        yield lab.row(f"store: {name}", f"{len(files)} files, {told} stages made anew", lab.lost(work), 1)
        run = lab.start(lab.new())
        checkpoints = _wait_for_a_checkpoint(run)
        run.process.kill()
        run.end()
        for path in checkpoints:
            harm(path)
        lab.finish(run.work)
        yield lab.row(f"checkpoint: {name}", f"{len(checkpoints)} file", lab.lost(run.work), 1)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 0xFF
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -random.randint(1, path.stat().st_size)])


HARMS: dict[str, Callable[[Path], None]] = {"a byte flipped": _flip, "cut short": _cut}


def company(lab: Lab) -> Iterator[Row]:
    """Two runs at once: in one work directory, and in two that share a store."""
    lost = refused = trained = 0
    for _ in range(lab.times):
        work = lab.new()
        runs = [lab.start(work), lab.start(work)]
        codes = [run.end() for run in runs]
        refused += sorted(codes) == [0, 2] and any("another run is at work" in run.said for run in runs)
        lost += lab.lost(work)
    tried = f"{lab.times} times, one run went on and one was refused {refused} times"
    yield lab.row("two runs in one work directory", tried, lost)
    lost = 0
    for _ in range(lab.times):
        shared = lab.folder / f"bench-{lab.runs}"
        benches = [
            FORK.Process(target=_bench, args=(lab.folder / "tiny.py", shared, shared / name)) for name in ("a", "b")
        ]
        for process in benches:
            process.start()
        for process in benches:
            process.join()
        logs = "".join(path.read_text() for path in shared.glob("*/run.log"))
        trained += len(re.findall(r" train .* outputs, single\): [\d.]+ s$", logs, re.MULTILINE)) == 2
        lost += any(lab.lost(shared / name, shared / "store") for name in ("a", "b"))
        lab.runs += 1
    tried = f"{lab.times} times, {trained} times each network was trained once"
    yield lab.row("two runs that share a store", tried, lost)


def _bench(config: Path, shared: Path, work: Path) -> None:
    run_module.run(config, work_dir=work, store=shared / "store", device="cpu", quiet=True)


def workers(lab: Lab) -> Iterator[Row]:
    """Workers are killed while they train; then the run itself is, and its workers are left alone."""
    run = lab.start(lab.new(), "--workers", "2")
    _wait_for_a_checkpoint(run)
    killed = [_kill(pid) for pid in _workers(run)]
    run.end()
    noticed = "noticed" if "a worker died" in run.said else "not noticed"
    yield lab.row("workers die", f"{len(killed)} killed, {noticed}", lab.lost(run.work), 1)
    run = lab.start(lab.new(), "--workers", "2")
    _wait_for_a_checkpoint(run)
    run.process.kill()
    run.end()
    lab.finish(run.work, "--workers", "2")
    tried = f"killed once, {len(_workers(run))} of its workers still there after the next run"
    yield lab.row("a run with workers dies", tried, lab.lost(run.work), 1)


def _wait_for_a_checkpoint(run: Run) -> list[Path]:
    while not (found := list(run.work.glob("store/*.unfinished/checkpoint.pth"))) and run.process.is_alive():
        time.sleep(0.01)
    return found


def _workers(run: Run) -> list[int]:
    """The workers in the run's session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            session = int(stat.read_text().rpartition(")")[2].split()[3])
            if session == run.process.pid and b"popen_loky_posix" in (stat.parent / "cmdline").read_bytes():
                found.append(int(stat.parent.name))
    return found


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def memory(lab: Lab) -> Iterator[Row]:
    """An address space that a whole batch does not fit into, in extraction and in training."""
    wide = [word for one in LARGER for word in ("--set", one)]
    whole = json.loads((lab.finish(lab.new(), *wide).work / "results.json").read_text())["arms"]
    for allowed in (400, 300, 200):
        run = lab.finish(lab.new(), *wide, memory=allowed)
        if fits := re.findall(r"memory ran out with (\d+) images at a time, (\d+) fit", run.said):
            break
    results = run.work / "results.json"
    arms = json.loads(results.read_text())["arms"] if results.is_file() else {}
    apart = max((abs(arms[arm][name] - whole[arm][name]) for arm in arms for name in arms[arm]), default=float("nan"))
    tried = f"{allowed} MiB; images at a time: {', '.join(f'{many} -> {few}' for many, few in fits) or 'never less'}"
    lost = "nothing" if arms.keys() == whole.keys() else "**an arm**"
    yield "memory runs out in extraction", tried, f"{lost}: numbers differ by {apart:.2g} percent at most"
    work = lab.new()
    run = lab.finish(work, *wide, "--set", "trainer.batch_size=40", memory=100)
    told = "memory ran out with batch_size 40 on cpu" in run.said
    lab.finish(work)
    tried = "the error names batch_size" if told else f"**{run.said[-300:]}**"
    yield lab.row("memory runs out in training", tried, lab.lost(work), 1)


FAULTS = {
    "kills": kills, "interrupts": interrupts, "disks": disks, "damage": damage, "company": company,
    "workers": workers, "memory": memory,
}  # fmt: skip


def tried() -> None:
    """The faults that the command line asks for."""
    parser = argparse.ArgumentParser(description="Faults, tried for real.")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print("| fault | tried | lost |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        lab = Lab(Path(folder), asked.times)
        (lab.folder / "tiny.py").write_text(TINY)
        lab.undisturbed()
        for name in asked.only:
            for row in FAULTS[name](lab):
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    tried()
