"""Commands stopped at random moments and in odd surroundings, tried for real: what was tried, and what was lost.

    OMP_NUM_THREADS=1 python benchmarks/runs.py [--times 20] [--only stops surroundings …]

Each command is a process of its own. Nothing is lost where the same command, started again, leaves the bytes that an
undisturbed one leaves, and no stage in the store is damaged. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from injection import TINY

from camforge.store.maintenance import damaged

Row = tuple[str, str, str]


@dataclass
class Lab:
    """A folder for commands, their files of an undisturbed run, and how long each takes."""

    folder: Path
    times: int
    whole: dict[str, bytes] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "tiny.json").write_text(json.dumps(TINY))
        (self.folder / "suite.yaml").write_text("name: suite\nabout: one\nexperiments: [tiny.json]\n")

    def command(self, name: str, work: Path) -> list[str]:
        """The words of a command and where it writes."""
        words = {
            "run": ["run", "tiny.json", "--work-dir", str(work)],
            "run --workers 2": ["run", "tiny.json", "--work-dir", str(work), "--workers", "2"],
            "bench": ["bench", "suite.yaml", "--seeds", "2", "--work-dir", str(work)],
            "export": ["export", str(self.folder / "finished"), str(work / "out"), "--split", "val"],
        }
        return [sys.executable, "-m", "camforge", *words[name], "--device", "cpu"]

    def start(self, name: str, work: Path, **options: object) -> subprocess.Popen[str]:
        """A command in a session of its own."""
        work.mkdir(exist_ok=True)
        return subprocess.Popen(
            self.command(name, work), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, **options,
        )  # type: ignore[call-overload, no-any-return]  # fmt: skip

    def undisturbed(self, name: str) -> None:
        """What a command leaves when nothing happens."""
        if name in self.whole:
            return
        work = self.folder / ("finished" if name == "run" else f"whole-{len(self.whole)}")
        start = time.perf_counter()
        process = self.start(name, work)
        said = process.communicate()[0]
        if process.returncode:
            raise SystemExit(said)
        self.seconds[name] = time.perf_counter() - start
        self.whole[name] = self.left(work)

    def left(self, work: Path) -> bytes:
        """The results, or the exported files, without what tells times."""
        names = [path for path in sorted(work.rglob("*")) if path.name in ("results.json", "boxes.json", "00000.npz")]
        return b"".join(path.read_bytes() for path in names if "store" not in path.parts)

    def lost(self, name: str, work: Path) -> bool:
        """Whether the command, started again, comes to something else."""
        process = self.start(name, work)
        said = process.communicate()[0]
        wrong = process.returncode != 0 or self.left(work) != self.whole[name]
        stores = [path for path in work.rglob("store") if path.is_dir()]
        if wrong:
            print(said, file=sys.stderr)
        return wrong or any(damaged(store) for store in stores)

    def row(self, what: str, tried: str, lost: int) -> Row:
        return what, tried, "nothing" if not lost else f"**{lost} differ**"


def stops(lab: Lab) -> Iterator[Row]:
    """kill -9 and SIGTERM at random moments of a run with workers, a bench and an export."""
    for name in ("run --workers 2", "bench", "export"):
        lab.undisturbed(name)
        for number in (signal.SIGKILL, signal.SIGTERM):
            lost = hit = 0
            for i in range(lab.times // 2):
                work = lab.folder / f"stop-{name.split()[0]}-{number}-{i}"
                process = lab.start(name, work)
                time.sleep(random.uniform(0.2, 0.95) * lab.seconds[name])
                process.send_signal(number)
                process.wait()
                hit += process.returncode == -number
                lost += lab.lost(name, work)
                shutil.rmtree(work, ignore_errors=True)
            yield lab.row(f"{number.name} in {name}", f"{hit} of {lab.times // 2} hit", lost)


def surroundings(lab: Lab) -> Iterator[Row]:
    """Environments that lack something."""
    lab.undisturbed("run")
    bare = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME", "USER", "LOGNAME")}
    homeless: dict[str, dict[str, object]] = {
        "HOME unset": {"env": bare},
        "HOME is read-only": {"env": bare | {"HOME": "/proc"}},
        "HOME is not there": {"env": bare | {"HOME": "/nonexistent"}},
        "ulimit -n 64": {"preexec_fn": lambda: __import__("resource").setrlimit(7, (64, 64))},
        "umask 077": {"umask": 0o077},
        "an old clock (entries of tomorrow)": {},
    }
    for what, options in homeless.items():
        work = lab.folder / f"around-{len(what)}"
        if "clock" in what:
            shutil.copytree(lab.folder / "finished", work)
            for path in work.rglob("*"):
                os.utime(path, (time.time() + 10**6,) * 2)
        process = lab.start("run", work, **options)
        said = process.communicate()[0].strip().splitlines()
        tried = "went on" if process.returncode == 0 else f"ended: {said[-1][:200] if said else ''}"
        yield lab.row(what, tried, lab.lost("run", work))


def company(lab: Lab) -> Iterator[Row]:
    """Two ``bench`` of one suite at once, in one folder."""
    lab.undisturbed("bench")
    work = lab.folder / "company"
    processes = [lab.start("bench", work) for _ in range(2)]
    said = [process.communicate()[0] for process in processes]
    codes = sorted(process.returncode for process in processes)
    told = sum("another run is at work" in text for text in said)
    yield lab.row("two bench at once", f"exit codes {codes}, {told} told of the other", lab.lost("bench", work))


def older(lab: Lab) -> Iterator[Row]:
    """A work directory whose store was written by CamForge 0.1: recipes without a checksum of their own."""
    lab.undisturbed("run")
    work = lab.folder / "older"
    shutil.copytree(lab.folder / "finished", work)
    recipes = list(work.glob("store/*/recipe.json"))
    for path in recipes:
        content = json.loads(path.read_text())
        path.write_text(json.dumps({name: content[name] for name in ("stage", "key", "recipe", "files")}))
    lost = lab.lost("run", work)
    aside = len(list(work.glob("store/*.damaged-1")))
    yield lab.row("a store of 0.1", f"{len(recipes)} entries, {aside} moved aside and made anew", lost)


TRIALS: dict[str, Callable[[Lab], Iterator[Row]]] = {
    "surroundings": surroundings, "older": older, "company": company, "stops": stops,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="stops of each command")
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=list(TRIALS))
    asked = parser.parse_args()
    print("| what | tried | lost |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="runs-") as folder:
        lab = Lab(Path(folder), asked.times)
        for name in asked.only:
            for row in TRIALS[name](lab):
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
