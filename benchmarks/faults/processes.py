"""Processes that are killed, interrupted, or not alone."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab import FORK, STAGES, Lab, Row, Run

import camforge.pipeline.run as run_module

Contents = dict[str, bytes]


@dataclass(frozen=True)
class Victim:
    """A command that is killed: its words for a work directory, and what it makes there."""

    name: str
    words: Callable[[Path], Sequence[str]]
    made: str

    def contents(self, work: Path) -> Contents:
        """The bytes of all that it made."""
        made = work / self.made
        files = [made] if made.is_file() else sorted(path for path in made.rglob("*") if path.is_file())
        return {str(path.relative_to(work)): path.read_bytes() for path in files}


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


def moments(lab: Lab) -> Iterator[Row]:
    """kill -9 and SIGTERM at random moments of a suite, and of an export."""
    config, cpu = str(lab.config), ("--device", "cpu")
    suite = Victim("a suite", lambda work: ("bench", config, "--work-dir", str(work), *cpu), "tiny/seed-0/results.json")
    yield from _strikes(lab, suite)
    done = str(lab.finish(lab.new()).work)
    yield from _strikes(
        lab, Victim("an export", lambda work: ("export", done, "--out", str(work / "seeds"), *cpu), "seeds")
    )


def worker_moments(lab: Lab) -> Iterator[Row]:
    """The same of a run that shares its trainings out to two workers."""
    more = ("--device", "cpu", "--workers", "2")
    yield from _strikes(
        lab,
        Victim(
            "a run with two workers",
            lambda work: ("run", str(lab.config), "--work-dir", str(work), *more),
            "results.json",
        ),
    )


def _strikes(lab: Lab, victim: Victim) -> Iterator[Row]:
    start, work = time.perf_counter(), lab.new()
    run = lab.command(work, *victim.words(work))
    run.end()
    took, whole = time.perf_counter() - start, victim.contents(work)
    if not whole:
        raise SystemExit(run.said)
    for number in (signal.SIGKILL, signal.SIGTERM):
        ends = [_struck(lab, victim, number, random.uniform(0, took)) for _ in range(lab.times)]
        hit = sum(code == -number for code, _ in ends)
        over = sum(code == 0 for code, _ in ends)
        lost = sum(contents != whole for _, contents in ends)
        tried = f"{hit} of {lab.times} ended by it, {over} had finished, at random moments of {took:.1f} s"
        yield lab.row(f"{number.name} in {victim.name}", tried, lost)


def _struck(lab: Lab, victim: Victim, number: signal.Signals, after: float) -> tuple[int | None, Contents]:
    """How it ended, and what there is when the same command has run again."""
    work = lab.new()
    run = lab.command(work, *victim.words(work))
    time.sleep(after)
    with suppress(ProcessLookupError):  # it has ended
        os.kill(run.process.pid or 0, number)
    code = run.end()
    lab.command(work, *victim.words(work)).end()
    return code, victim.contents(work)


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


def twins(lab: Lab) -> Iterator[Row]:
    """The same suite twice at once, in one folder."""
    lost = refused = 0
    for _ in range(lab.times):
        work = lab.new()
        words = ("bench", str(lab.config), "--work-dir", str(work), "--device", "cpu")
        runs = [lab.command(work, *words), lab.command(work, *words)]
        codes = [run.end() for run in runs]
        refused += sorted(map(bool, codes)) == [False, True]
        lost += lab.lost(work / "tiny" / "seed-0", work / "store")
    yield lab.row("two benches of one suite", f"{lab.times} times, one of the two was refused {refused} times", lost)


def _bench(config: Path, shared: Path, work: Path) -> None:
    run_module.run(config, work_dir=work, store=shared / "store", device="cpu", quiet=True)


def workers(lab: Lab) -> Iterator[Row]:
    """Workers are killed while they train; then the run itself is, and its workers are left alone."""
    run = lab.start(lab.new(), "--workers", "2")
    wait_for_a_checkpoint(run)
    killed = [_kill(pid) for pid in _workers(run)]
    run.end()
    noticed = "noticed" if "a worker died" in run.said else "not noticed"
    yield lab.row("workers die", f"{len(killed)} killed, {noticed}", lab.lost(run.work), 1)
    run = lab.start(lab.new(), "--workers", "2")
    wait_for_a_checkpoint(run)
    run.process.kill()
    run.end()
    lab.finish(run.work, "--workers", "2")
    tried = f"killed once, {len(_workers(run))} of its workers still there after the next run"
    yield lab.row("a run with workers dies", tried, lab.lost(run.work), 1)


def wait_for_a_checkpoint(run: Run) -> list[Path]:
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
