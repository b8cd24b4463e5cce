"""``camforge.run``: one experiment file from start to report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from camforge.config.load import Loaded, load
from camforge.config.paths import absent_files
from camforge.files import write_atomically
from camforge.host.failure import disk_fault
from camforge.pictures import save
from camforge.pipeline.arms import ArmResult, FailedArm, Result, run_arms
from camforge.pipeline.parallel import Failures, share_out
from camforge.pipeline.report_data import build_report_data
from camforge.pipeline.requirements import check_arms, data_notes, left_out_metrics
from camforge.pipeline.results import Results, manifest_of, other_numbers
from camforge.pipeline.session import Session, Splits
from camforge.progress.progress import Progress
from camforge.report.contact import contact_sheet
from camforge.report.page import write_page
from camforge.store.store import Store
from camforge.training import distributed
from camforge.training.device import pick_device
from camforge.training.executors import Pool, open_pool
from camforge.types import CamForgeError

STAGES = ("train", "extract", "measure")
"""As ``run_arms`` counts them."""


def run(
    config: str | Path,
    *,
    overrides: Sequence[str] = (),
    work_dir: str | Path | None = None,
    store: str | Path | None = None,
    device: str = "auto",
    fresh: bool = False,
    quiet: bool = False,
    workers: int = 1,
    cluster: str | None = None,
    launcher: distributed.Launcher = "none",
) -> Results:
    """Run an experiment file; finished stages found in the work directory are picked up.

    config     a .py, .yaml or .json file;  overrides  ``key.sub=value`` strings
    work_dir   where everything goes, finished stages into its folder ``store``;
               None: ``work/<name of the experiment>``, and all experiments share the stages in ``work/store``
    store      another folder for the finished stages, to share them between work directories
    device     "auto", "cpu", "cuda" or "cuda:N";  fresh  forget what earlier runs finished
    workers    groupings, trainings and extractions side by side, each in a process with its share of the threads
    cluster    "dask://HOST:8786": the same, by the workers of a Dask cluster that see this store
    launcher   "pytorch" where torchrun, "slurm" where srun started this process as one of several: trainings,
               extractions and measurements are shared out among them; the first one writes
    Raises CamForgeError with one line per mistake.
    """
    asked = [workers > 1, cluster is not None, launcher != "none"]
    if sum(asked) > 1:
        raise CamForgeError(f"workers {workers}, cluster {cluster!r}, launcher {launcher!r}: give one of the three")
    if workers < 1:
        raise CamForgeError(f"workers: at least 1, not {workers}")
    loaded = load(config, overrides)
    folder = Path(work_dir) if work_dir is not None else Path("work") / loaded.experiment.name
    store = Path(store or (folder / "store" if work_dir is not None else Path("work") / "store"))
    with _joined(launcher), open_pool(workers, cluster) as pool:
        return run_seeds({folder: loaded}, store, device=device, fresh=fresh, quiet=quiet, pool=pool)[0]


def run_seeds(
    asked: Mapping[Path, Loaded], store: Path, *, device: str, fresh: bool, quiet: bool, pool: Pool | None
) -> list[Results]:
    """One run in each folder, of experiments that differ in their seeds alone; arguments are those of ``run``.

    The images are read once. Trainings and extractions of all of them are shared out to the workers; then each goes on
    by itself.
    """
    follows = distributed.rank() > 0
    reports = [Progress(quiet or follows, log=None if follows else folder / "run.log") for folder in asked]
    title = next(iter(asked.values())).experiment.name
    with ExitStack() as held:
        for folder in asked:
            held.enter_context(alone_in(folder))
        with reports[0].experiment(title, STAGES):
            sessions = _opened(asked, reports, store, device, fresh)
            for made in filter(None, map(other_numbers, asked)):
                reports[0].say(f"numbers of CamForge {made} may be others: no stage of then is used, all are made anew")
            left_out = left_out_metrics(sessions[0])  # by validation images first: where none is left, no other is read
            check_arms(sessions[0])
            for line in [*(f"no {name}: it {reason}" for name, reason in left_out.items()), *data_notes(sessions[0])]:
                reports[0].say(line)
            failed = share_out(sessions, pool) if pool is not None else [{} for _ in sessions]
            runs = list(zip(asked.values(), asked, sessions, failed, strict=True))
            results = [_run_locked(*runs[0], left_out)]
        return results + [_run_locked(*other, left_out) for other in runs[1:]]


@contextmanager
def _joined(launcher: distributed.Launcher) -> Iterator[None]:
    """Together with the launcher's other processes; the results of one that fails are never waited for."""
    if launcher == "none":
        yield
        return
    distributed.join(launcher)
    yield
    distributed.leave()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """The folder made, and no other run in it; the leader holds the lock for its team.

    Raises CamForgeError where there is one, or where the disk fails within.
    """
    lock = FileLock(folder / ".lock", timeout=0)

    def enter() -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            message = f"another run is at work in {folder}: wait for it, or give another --work-dir"
            raise CamForgeError(message) from None
        except OSError as error:
            raise CamForgeError(f"cannot work in {folder}: {error.strerror or error}") from error

    distributed.on_rank_zero(enter)
    try:
        yield
    except Exception as error:
        fault = disk_fault(error)
        if fault is None:
            raise
        message = str(error) if isinstance(error, CamForgeError) else f"cannot write in {folder}: {fault.strerror}"
        raise CamForgeError(f"{message}; finished stages are kept, the same command goes on where it was") from error
    finally:
        lock.release()


def _opened(
    asked: Mapping[Path, Loaded], reports: Sequence[Progress], store: Path, device: str, fresh: bool
) -> list[Session]:
    """A session per run, which share the images. Whatever cannot work without reading them is said here."""
    experiment = next(iter(asked.values())).experiment
    where = pick_device(device)
    absent = [name for name in experiment.report.loggers if find_spec(name) is None]
    if absent:
        raise CamForgeError(f"report.loggers: {absent[0]!r} needs a package of that name: pip install {absent[0]}")
    absent_weights = dict.fromkeys(line for one in asked.values() for line in absent_files(one.config, one.location))
    if absent_weights:
        raise CamForgeError("\n".join(absent_weights))
    splits = Splits(experiment, reports[0], store)
    splits.check()
    made_by = uuid4().hex if fresh else ""
    return [
        Session(loaded.experiment, splits, Store(store, progress.say, made_by), where, progress, folder / "logs")
        for (folder, loaded), progress in zip(asked.items(), reports, strict=True)
    ]


def _run_locked(
    loaded: Loaded, folder: Path, session: Session, failed: Failures, left_out: Mapping[str, str]
) -> Results:
    metrics = [metric for metric in session.experiment.metrics if metric.name not in left_out]
    with session.progress.experiment(session.experiment.name, STAGES):
        found = run_arms(session, metrics, failed)
        manifest = manifest_of(loaded.config, found, session)
        with session.progress.task("report"):
            data = build_report_data(session, found, manifest, left_out, data_notes(session))
            trained = {result.name: result.trained for result in found if isinstance(result, ArmResult)}
            results = Results(
                data, folder,
                groupings={name: arm.grouping for name, arm in trained.items()},
                models={name: arm.models for name, arm in trained.items()},
            )  # fmt: skip
            distributed.on_rank_zero(lambda: _write(results, found))
    return results


def _write(results: Results, found: Sequence[Result]) -> None:
    """All that the run leaves in its folder, the numbers before the pictures."""
    folder = results.folder
    results.write(found)
    failures = {result.name: result.failure for result in found if isinstance(result, FailedArm)}
    traces = [f"{name}: {failure.reason}\n{failure.traceback}" for name, failure in failures.items()]
    if traces:
        write_atomically(folder / "failures.log", "\n".join(traces).encode())
    write_page(results.report, results.report_data)
    picture = contact_sheet(results.report_data)
    if picture is not None:
        save(folder / "gallery.png", picture)
