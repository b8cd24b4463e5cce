"""``camforge.bench``: every experiment of a suite, over seeds, sharing one store; one table in the end."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from camforge.analysis.oracle import Oracle, oracle
from camforge.config.load import Loaded, load, read
from camforge.files import file_name, write_atomically
from camforge.host.registry import registry
from camforge.pipeline.run import alone_in, run_seeds
from camforge.progress.progress import Progress
from camforge.report.paper import write_paper
from camforge.report.suite import Front, SuiteReport, TableEntry, write_front, write_suite
from camforge.suite.additions import Addition, overrides_of
from camforge.suite.catalogue import WORK, Suite, open_suite
from camforge.suite.every import overrides_for_every, without_unfit
from camforge.suite.papers import paper_page
from camforge.suite.plugin_pages import linked, write_plugin_pages
from camforge.suite.scores import write_scores
from camforge.suite.tables import as_csv, suite_report
from camforge.training.executors import Pool, open_pool
from camforge.types import CamForgeError

SCORES = "scores"
"""Below a suite's folder: a file per row, by experiment and seed."""
PAGES = "plugins"
"""Below a leaderboard's folder: a page for each plugin that joined."""


@dataclass(frozen=True)
class Planned:
    """One experiment of a suite, read and checked."""

    path: Path
    loaded: Loaded
    overrides: tuple[str, ...]
    with_pages: bool = False
    """Its extractors have a page each."""


@dataclass(frozen=True, eq=False)
class SuiteResults:
    """A finished suite: its tables in order, and why an experiment has none, or an arm no numbers.

    folder   holds index.html, table.csv, a file per row in scores, and per experiment a folder with its page and runs
    by_file  {experiment's file: its table}
    oracles  {experiment's file: its best pairs by the validation masks}, where a paper prints them
    """

    name: str
    folder: Path
    by_file: Mapping[Path, SuiteReport] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    oracles: Mapping[Path, Oracle] = field(default_factory=dict)

    @property
    def tables(self) -> tuple[SuiteReport, ...]:
        """Of the experiments that ran, in order."""
        return tuple(self.by_file.values())

    def joined(self, file: Path, table: SuiteReport) -> SuiteResults:
        """With one more experiment."""
        failures = {f"{table.title}: {arm.name}": arm.failure for arm in table.arms if arm.failure}
        return replace(
            self,
            by_file={**self.by_file, file: table},
            failures={**self.failures, **failures},
        )

    @property
    def page(self) -> Path:
        """The first page."""
        return self.folder / "index.html"


def bench(
    suite: str,
    *,
    seeds: int = 1,
    add: Sequence[str] = (),
    overrides: Sequence[str] = (),
    work_dir: str | Path | None = None,
    device: str = "auto",
    fresh: bool = False,
    quiet: bool = False,
    workers: int = 1,
    cluster: str | None = None,
    small: bool = False,
    data: str | Path | None = None,
) -> SuiteResults:
    """Run a suite: experiments that share every stage they can, and one table of them.

    suite      a name of ``camforge bench --list``, or a file: a list of experiments, or one experiment
    small      of a paper's suite the experiments that a computer without a GPU runs
    seeds      each experiment runs with the seeds s, s + 1 … of its own seed s: mean and spread
    add        plugins that join as arms or metrics: ``extractor=mycam``
    work_dir   None: ``work/bench/<suite>``, the stages in ``work/store``; otherwise the stages in its ``store``
    workers    what an experiment trains and extracts side by side, of all its arms and seeds
    cluster    the same on a Dask cluster, "dask://HOST:8786"
    data       a folder of photographs that a leaderboard measures on as well
    A finished stage is picked up; an experiment that fails is named in the results, the others go on.
    Raises CamForgeError where a file is wrong, with every mistake, or where another bench is at work in the folder,
    before anything runs.
    """
    found = open_suite(suite, small)
    folder = Path(work_dir) if work_dir is not None else WORK / found.name
    store = folder / "store" if work_dir is not None else Path("work/store")
    planned = plan(found, [Addition.parse(text) for text in add], overrides, data)
    progress = Progress(quiet)
    results = SuiteResults(found.name, folder)
    start = time.perf_counter()
    with alone_in(folder), open_pool(workers, cluster) as pool:
        for number, experiment in enumerate(planned):
            name = experiment.loaded.experiment.name
            progress.say(_headline(name, number, len(planned), time.perf_counter() - start))
            try:
                table = _run_seeds(experiment, seeds, folder / name, store, device, fresh, quiet, pool)
                results = results.joined(experiment.path, table)
                oracles = _oracle(found, experiment, folder / name, device)
                results = replace(results, oracles={**results.oracles, **oracles})
            except CamForgeError as error:
                results = replace(results, failures={**results.failures, name: str(error)})
                progress.say(f"{name}: {error}")
            _write(results, found, seeds)
    return results


def plan(
    suite: Suite, additions: Sequence[Addition], overrides: Sequence[str], data: str | Path | None = None
) -> list[Planned]:
    """Read and check every experiment. Raises CamForgeError with the mistakes of all of them."""
    planned: list[Planned] = []
    wrong: list[str] = []
    asked: list[tuple[Path, list[str]]] = [(path, []) for path in suite.experiments]
    for path, given in [*asked, *_on_data(suite, data)]:
        try:
            own = [*suite.overrides, *given, *overrides]
            if suite.every:
                own = without_unfit(path, [*own, *overrides_for_every(suite.every, read(path, own)[0])])
            own += overrides_of(additions, read(path, own)[0]) if additions else []
            planned.append(Planned(path, load(path, own), tuple(own), bool(suite.every)))
        except CamForgeError as error:
            wrong.append(str(error))
    names = [experiment.loaded.experiment.name for experiment in planned]
    wrong += [f"two experiments are called {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
    if wrong:
        raise CamForgeError("\n".join(wrong))
    return planned


def _on_data(suite: Suite, data: str | Path | None) -> list[tuple[Path, list[str]]]:
    """The experiment on a folder of photographs, and what it is told of them."""
    if data is None:
        return []
    if suite.on_data is None:
        raise CamForgeError(f"suite {suite.name!r} measures on its own data: --data is for a leaderboard")
    name = file_name(Path(data).resolve().name)
    return [(suite.on_data, [f"name={json.dumps(name)}", f"dataset.root={json.dumps(str(data))}"])]


def _run_seeds(
    planned: Planned, seeds: int, folder: Path, store: Path, device: str, fresh: bool, quiet: bool, pool: Pool | None
) -> SuiteReport:
    start = time.perf_counter()
    first = planned.loaded.experiment.seed
    asked = {
        folder / f"seed-{seed}": load(planned.path, [*planned.overrides, f"seed={seed}"])
        for seed in range(first, first + seeds)
    }
    runs = run_seeds(asked, store, device=device, fresh=fresh, quiet=quiet, pool=pool)
    for run in runs:
        write_scores(folder.parent / SCORES / run.folder.relative_to(folder.parent), run)
    page = folder / "suite.html"
    table = suite_report(runs, planned.loaded.experiment.paper, page, (time.perf_counter() - start) / 60)
    table = linked(table, planned.loaded.experiment, PAGES) if planned.with_pages else table
    write_suite(page, table)
    return table


def _oracle(suite: Suite, planned: Planned, folder: Path, device: str) -> dict[Path, Oracle]:
    """{experiment's file: the best pairs of its first seed}, where an item of the paper prints them."""
    arm = suite.paper.oracle_arm(planned.path) if suite.paper else ""
    first = folder / f"seed-{planned.loaded.experiment.seed}"
    return {planned.path: oracle(first, arm, device=device, quiet=True)} if arm else {}


def _headline(name: str, number: int, count: int, elapsed: float) -> str:
    left = f", about {elapsed / number * (count - number) / 60:.0f} min left" if number else ""
    return f"[{number + 1}/{count}] {name}{left}"


def _write(results: SuiteResults, suite: Suite, seeds: int) -> None:
    """The table and the first page, whole after every experiment."""
    write_atomically(results.folder / "table.csv", as_csv(results.tables, seeds).encode())
    if suite.paper is not None:
        write_paper(results.page, paper_page(suite.paper, results.by_file, results.oracles, results.failures))
        return
    if suite.every:
        joined = [plugin for kind in suite.every for plugin in registry().plugins[kind].values()]
        write_plugin_pages(results.folder / PAGES, joined, [results.folder / SCORES])
    entries = tuple(TableEntry(table, f"{table.title}/suite.html") for table in results.tables)
    write_front(results.page, Front(suite.name, entries, suite.about, results.failures))
