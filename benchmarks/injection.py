"""Every call of a run to the disk fails in turn, or the power does: what is lost, and what is wrongly reused.

    OMP_NUM_THREADS=1 python benchmarks/injection.py [--share 1.0] [--experiment 400]

First a run in small, three stages in a store, from ten states of its folder: each of its calls fails with each error;
before each call that follows a change the power fails, with six things that the disk may hold then. Then a whole tiny
experiment, as many faults as asked for, spread over its calls. After every fault the same run is started again. Nothing
is lost where it takes every stage that was finished; nothing is wrongly reused where results and entries have the bytes
of an undisturbed run. Linux.
"""

from __future__ import annotations

import argparse
import errno
import itertools
import json
import logging
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "store"))

from faulty_disk import Disk, Fault, Platter
from stand_in import SCENARIOS, Lab, Outcome, Scenario, Trace, attempt, untouched

import camforge
from camforge.store.maintenance import damaged

ERRORS = (
    ("EIO", errno.EIO, False), ("ENOSPC, from then on", errno.ENOSPC, True), ("EACCES", errno.EACCES, False),
    ("EMFILE, from then on", errno.EMFILE, True), ("ESTALE", errno.ESTALE, False),
)  # fmt: skip
CHANGES = frozenset({"open for writing", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir"})
POWER = ("strict", "names", "torn", "whole", "1", "2")
"""What the disk holds: see ``Platter.crash``; "whole": the process alone is killed."""
TINY = {
    "name": "tiny",
    "dataset": {"name": "partworld", "size": 32, "train": 24, "val": 8},
    "images": {"size": 32},
    "trainer": {
        "name": "single", "epochs": 2, "batch_size": 12,
        "backbone": {"name": "small", "stem": 4, "widths": [4], "strides": [2], "blocks": ["plain"]},
    },
    "extractor": "gradcam",
    "arms": {"a": {}, "b": {"grouper": {"name": "kmeans_hierarchy", "sizes": [2]}, "fusers": [{"name": "hierarchy"}]}},
    "metrics": ["miou"],
    "controls": False,
    "report": {"images": 1},
}  # fmt: skip


@dataclass
class Table:
    """Faults by kind, and what came of them."""

    said: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, kind: str, where: str, outcome: Outcome) -> None:
        """One fault."""
        self.said[kind, outcome.said] += 1
        for name, what in (("lost", outcome.lost), ("reused", outcome.reused)):
            if what:
                self.counts[kind, name] += 1
                self.wrong.append(f"{kind}, {where}: {name}: {what}")

    def lines(self) -> Iterator[str]:
        """As markdown."""
        yield "| fault | injected | a line | went on | killed | lost | wrongly reused |"
        yield "|---|---|---|---|---|---|---|"
        kinds = list(dict.fromkeys(kind for kind, _ in self.said))
        for kind in [*kinds, "all"]:
            of = kinds if kind == "all" else [kind]
            said = [sum(self.said[k, s] for k in of) for s in ("one line", "went on", "killed")]
            wrong = [sum(self.counts[k, name] for k in of) for name in ("lost", "reused")]
            yield f"| {' | '.join(map(str, (kind, sum(said), *said, *wrong)))} |"


def faults_of(calls: list[str], share: float) -> Iterator[tuple[str, Fault]]:
    """Each error at each call, or at an even share of them; reads and writes also do half of their work."""
    step = 1 / share
    for number in sorted({int(i * step) for i in range(int(len(calls) * share))}):
        for name, code, lasting in ERRORS:
            yield name, Fault(number, code, lasting)
        if calls[number] in ("read", "write"):
            yield f"a short {calls[number]}", Fault(number, "short")


def stand_in(folder: Path, share: float, table: Table) -> None:
    """All scenarios of the run in small."""
    lab = Lab(folder)
    for scenario in SCENARIOS:
        calls = lab.calls(scenario)
        for kind, fault in faults_of(calls, share):
            table.add(kind, f"{scenario.name}, call {fault.at} ({calls[fault.at]})", lab.inject(scenario, fault))
        changed = [i for i in range(1, len(calls)) if calls[i - 1] in CHANGES]
        for at in changed[:: max(1, round(1 / share))]:
            for how, outcome in zip(POWER, lab.cut_power(scenario, at, POWER), strict=True):
                kind = "killed" if how == "whole" else f"power, {how if how.isalpha() else 'any'}"
                table.add(kind, f"{scenario.name}, before call {at} ({calls[at]})", outcome)
        print(f"{scenario.name}: {len(calls)} calls", file=sys.stderr, flush=True)


class Experiment(Lab):
    """The same with ``camforge.run`` on a tiny experiment, from an empty folder."""

    scenario = Scenario("an experiment", untouched, whole=())

    def __post_init__(self) -> None:
        self.whole = self.folder / "whole"
        self.config = self.folder / "tiny.json"
        self.folder.mkdir(parents=True)
        self.config.write_text(json.dumps(TINY))
        self.go(self.whole)
        self.results = (self.whole / "results.json").read_bytes()

    def go(self, root: Path) -> camforge.Results:
        """One run."""
        return camforge.run(self.config, work_dir=root, device="cpu", quiet=True)

    def start(self, _scenario: Scenario) -> Path:
        root = self.folder / "work"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        return root

    def judged(self, said: str, _scenario: Scenario, _trace: Trace, root: Path) -> Outcome:
        """An arm that a fault ended stands in the results as failed, with a word."""
        lost, reused = [], []
        kept = {path.name: path.stat().st_ino for path in (root / "store").glob("*-*") if path.suffix == ""}
        broken = damaged(root / "store") if (root / "store").is_dir() else {}
        self.go(root)
        if (root / "results.json").read_bytes() != self.results:
            reused.append("other results afterwards")
        for name, inode in kept.items():
            if name not in broken and (root / "store" / name).stat().st_ino != inode:
                lost.append(f"{name} was made again")
        if damaged(root / "store"):
            lost.append("damage is left")
        return Outcome(said, "; ".join(lost), "; ".join(reused))

    def run_with(self, fault: Fault, platter: bool = False) -> tuple[str, Disk]:
        """A run with one fault."""
        root = self.start(self.scenario)
        disk = Disk(root, fault, platter=Platter(root) if platter else None)
        with disk.mounted():
            said = attempt(lambda: self.go(root))
        if said == "went on" and (root / "results.json").read_bytes() != self.results:
            said = "went on" if '"failures": {}' not in (root / "results.json").read_text() else "other results"
        return said, disk


def experiment(folder: Path, count: int, table: Table) -> None:
    """A whole tiny experiment, ``count`` faults."""
    lab = Experiment(folder)
    disk = Disk(lab.start(lab.scenario))
    with disk.mounted():
        lab.go(disk.root)
    kinds = itertools.cycle([*ERRORS, *((how, "power", False) for how in POWER)])
    for number in range(count):
        if number % 10 == 0:
            print(f"experiment: {number} of {count}", file=sys.stderr, flush=True)
        at = number * len(disk.calls) // count
        name, error, lasting = next(kinds)
        where = f"experiment, call {at} ({disk.calls[at]})"
        if error != "power":
            said, used = lab.run_with(Fault(at, error, lasting))
            table.add(f"experiment: {name}", where, lab.judged(said, lab.scenario, Trace(), used.root))
            continue
        said, used = lab.run_with(Fault(at, "kill"), platter=True)
        assert used.platter is not None
        left = lab.folder / "left"
        used.platter.crash(name, left)
        kind = "killed" if name == "whole" else f"power, {name if name.isalpha() else 'any'}"
        table.add(f"experiment: {kind}", where, lab.judged(said, lab.scenario, Trace(), left))
    print(f"experiment: {len(disk.calls)} calls", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the calls of the run in small")
    parser.add_argument("--experiment", type=int, default=0, help="faults in a whole tiny experiment")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.raiseExceptions = False  # a training's own log may fail, too
    table = Table()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        if options.share > 0:
            stand_in(Path(folder) / "small", options.share, table)
        if options.experiment:
            experiment(Path(folder) / "experiment", options.experiment, table)
    print(*table.lines(), sep="\n")
    print(*table.wrong, sep="\n")
    sys.exit(bool(table.wrong))


if __name__ == "__main__":
    main()
