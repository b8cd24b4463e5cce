"""A run in small: three stages as the pipeline keeps them in a store, and what is asked of it after a fault."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from faulty_disk import Disk, Fault, Killed, Platter

from camforge.files import append_line, write_atomically
from camforge.store.maintenance import prunable, prune
from camforge.store.store import Store, digest, write_json, write_tensors
from camforge.types import CamForgeError

NETWORK, MAPS, TOTALS = {"trainer": "single"}, {"maps": "gradcam"}, {"metrics": "miou"}
EPOCHS = 2
KEY = digest(NETWORK)


@dataclass
class Trace:
    """What a run came to, however it ended: the stages that it had, and those of them that it had to make."""

    finished: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)


@dataclass
class StandIn:
    """A run in ``root``."""

    root: Path
    trace: Trace
    fresh: str = ""
    told: list[str] = field(default_factory=list)

    def __call__(self) -> None:
        """From the training to results.json."""
        append_line(self.root / "run.log", "start")
        store = Store(self.root / "store", self.told.append, self.fresh)
        with store.lock("network", KEY):
            entry = store.find("network", KEY) or self._train(store)
        self.trace.finished.add("network")
        weights = torch.load(entry / "weights.pt", weights_only=True)
        maps = self._stage(store, "maps", MAPS, weights * 3)
        totals = self._stage(store, "totals", TOTALS, maps.sum())
        write_json(self.root / "results.json", {"sum": float(totals)})

    def _train(self, store: Store) -> Path:
        """Epoch by epoch, each from the checkpoint of the one before."""
        folder = store.scratch_dir("network", KEY)
        checkpoint, weights = folder / "checkpoint.json", [1.0, 2.0]
        begun = 0
        if checkpoint.is_file():
            begun, weights = json.loads(checkpoint.read_text())
        for epoch in range(begun, EPOCHS):
            weights = [2 * weight + 1 for weight in weights]
            write_atomically(checkpoint, json.dumps([epoch + 1, weights]).encode())
        self.trace.made.add("network")

        def write(draft: Path) -> None:
            write_tensors(draft / "weights.pt", torch.tensor(weights))
            write_json(draft / "history.json", [])

        return store.commit("network", KEY, NETWORK, write)

    def _stage(self, store: Store, name: str, recipe: dict[str, str], value: torch.Tensor) -> torch.Tensor:
        entry = store.find(name, digest(recipe))
        if entry is None:
            self.trace.made.add(name)
            entry = store.commit(name, digest(recipe), recipe, lambda draft: write_tensors(draft / "value.pt", value))
        self.trace.finished.add(name)
        return torch.load(entry / "value.pt", weights_only=True)


def run(root: Path, trace: Trace) -> None:
    """The run."""
    StandIn(root, trace)()


def prune_and_run(root: Path, trace: Trace) -> None:
    """``camforge store prune --older-than 0``, then the run."""
    prune(prunable(root / "store", older_than=-1))
    StandIn(root, trace)()


def run_afresh(root: Path, trace: Trace) -> None:
    """The run with ``--fresh``."""
    StandIn(root, trace, "1")()


def run_again(root: Path) -> Trace:
    """The run, let alone."""
    trace = Trace()
    StandIn(root, trace)()
    return trace


Command = Callable[[Path, Trace], None]


def entry(root: Path, stage: str) -> Path:
    """A finished stage."""
    (found,) = (path for path in (root / "store").glob(f"{stage}-*") if "." not in path.name)
    return found


def untouched(_root: Path) -> None:
    """As a finished run left it."""


def _without(*stages: str) -> Callable[[Path], object]:
    return lambda root: [shutil.rmtree(entry(root, stage)) for stage in stages] + [(root / "results.json").unlink()]


def _written(root: Path, file: str, *stages: str) -> None:
    for stage in stages:
        (entry(root, stage) / file).write_text("[]")


def _begun(root: Path) -> None:
    _without("network", "maps", "totals")(root)
    folder = root / "store" / f"network-{KEY}.unfinished"
    folder.mkdir()
    (folder / "checkpoint.json").write_text("[1, [3.0, 5.0]]")


def _linked(root: Path) -> None:
    where = entry(root, "network")
    where.rename(root / "moved")
    where.symlink_to(root / "moved")


def _swapped(root: Path) -> None:
    one, two = entry(root, "maps"), entry(root, "totals")
    one.rename(root / "x")
    two.rename(one)
    (root / "x").rename(two)


@dataclass(frozen=True)
class Scenario:
    """How the folder is when a command begins, what is done to a finished run's folder to get there."""

    name: str
    before: Callable[[Path], object]
    command: Command = run
    whole: tuple[str, ...] = ("network", "maps", "totals")
    """Stages that are finished when it begins, and stay so whatever goes wrong."""


SCENARIOS = (
    Scenario("an empty folder", lambda root: [shutil.rmtree(root), root.mkdir()], whole=()),
    Scenario("a checkpoint", _begun, whole=()),
    Scenario("a finished training", _without("maps", "totals"), whole=("network",)),
    Scenario("all is finished", untouched),
    Scenario("damaged files", lambda root: _written(root, "value.pt", "maps", "totals"), whole=("network",)),
    Scenario("damaged recipes", lambda root: _written(root, "recipe.json", "network", "maps"), whole=("totals",)),
    Scenario("a linked entry", _linked, whole=("maps", "totals")),
    Scenario("swapped entries", _swapped, whole=("network",)),
    Scenario("a fresh run", untouched, run_afresh, whole=()),
    Scenario("all is pruned", untouched, prune_and_run, whole=()),
)  # fmt: skip


@dataclass
class Outcome:
    """What came of one fault. ``lost`` and ``reused`` must be empty.

    said  "went on", "one line" or "killed"
    """

    said: str
    lost: str = ""
    reused: str = ""


@dataclass
class Lab:
    """A folder for one scenario after another: finished once, copied for every fault."""

    folder: Path

    def __post_init__(self) -> None:
        self.whole = self.folder / "whole"
        self.whole.mkdir(parents=True)
        run(self.whole, Trace())
        self.results = (self.whole / "results.json").read_bytes()
        self.files = {path.relative_to(self.whole): path.read_bytes() for path in _files(self.whole)}

    def start(self, scenario: Scenario) -> Path:
        """A folder as the scenario begins."""
        root = self.folder / "work"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.whole, root)
        scenario.before(root)
        return root

    def calls(self, scenario: Scenario) -> list[str]:
        """The calls of the scenario's command, nothing going wrong."""
        disk = Disk(self.start(scenario))
        with disk.mounted():
            scenario.command(disk.root, Trace())
        return disk.calls

    def inject(self, scenario: Scenario, fault: Fault) -> Outcome:
        """One fault, and the run again."""
        disk, trace = Disk(self.start(scenario), fault), Trace()
        with disk.mounted():
            said = attempt(lambda: scenario.command(disk.root, trace))
        return self.judged(said, scenario, trace, disk.root)

    def cut_power(self, scenario: Scenario, at: int, hows: tuple[str, ...]) -> list[Outcome]:
        """The power fails before a call: the run again, on each thing that the disk may hold then."""
        root, trace = self.start(scenario), Trace()
        disk = Disk(root, Fault(at, "kill"), platter=Platter(root))
        with disk.mounted():
            said = attempt(lambda: scenario.command(root, trace))
        left = self.folder / "left"
        outcomes = []
        for how in hows:
            disk.platter.crash(how, left)
            shutil.rmtree(self.folder / "again", ignore_errors=True)
            shutil.copytree(left, self.folder / "again", symlinks=True)
            outcomes.append(self.judged(said, scenario, trace, self.folder / "again"))
        return outcomes

    def judged(self, said: str, scenario: Scenario, trace: Trace, root: Path) -> Outcome:
        """What a fault left, and what the same run makes of it."""
        lost, reused = [], []
        if said == "went on" and (root / "results.json").read_bytes() != self.results:
            reused.append("other results without a word")
        again, whole = run_again(root), set(scenario.whole)
        lost += [
            f"{stage} was made again" for stage in sorted(whole & trace.made | (whole | trace.finished) & again.made)
        ]
        if (root / "results.json").read_bytes() != self.results:
            reused.append("other results afterwards")
        for stage in ("network", "maps", "totals"):
            for path in _files(entry(root, stage)):
                if path.name != "recipe.json" and self.files[path.relative_to(root)] != path.read_bytes():
                    reused.append(f"{stage}/{path.name} holds something else")
        if run_again(root).made:
            lost.append("the next run does not find everything")
        return Outcome(said, "; ".join(lost), "; ".join(reused))


def attempt(command: Callable[[], object]) -> str:
    """Run it: "went on", "one line" or "killed". Anything but an error of the disk or a CamForgeError is raised."""
    try:
        command()
    except (CamForgeError, OSError):
        return "one line"
    except Killed:
        return "killed"
    return "went on"


def _files(folder: Path) -> list[Path]:
    return [Path(parent, name) for parent, _, names in os.walk(folder) for name in names if not name.startswith(".")]
