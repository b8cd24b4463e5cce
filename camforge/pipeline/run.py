"""``camforge.run``: one experiment file from start to report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from camforge.config.load import Loaded, load
from camforge.files import write_atomically
from camforge.pictures import save
from camforge.pipeline.arms import Row, Splits, calibration_split, check_groupers, prepare_split, run_arms
from camforge.pipeline.failure import disk_fault
from camforge.pipeline.parallel import Failures, train_apart
from camforge.pipeline.report_data import build_report_data
from camforge.pipeline.results import Results, manifest_of
from camforge.pipeline.session import Session
from camforge.progress.progress import Progress
from camforge.report.contact import contact_sheet
from camforge.report.page import write_page
from camforge.store.store import Store
from camforge.training import distributed
from camforge.training.device import pick_device
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
    launcher: distributed.Launcher = "none",
) -> Results:
    """Run an experiment file; finished stages found in the work directory are picked up.

    config     a .py, .yaml or .json file;  overrides  ``key.sub=value`` strings
    work_dir   where everything goes, finished stages into its folder ``store``;
               None: ``work/<name of the experiment>``, and all experiments share the stages in ``work/store``
    store      another folder for the finished stages, to share them between work directories
    device     "auto", "cpu", "cuda" or "cuda:N";  fresh  forget what earlier runs finished
    workers    networks that are trained side by side, each in a process with its share of the threads
    launcher   "pytorch" where torchrun, "slurm" where srun started this process as one of several: trainings,
               extractions and measurements are shared out among them; the first one writes
    Raises CamForgeError with one line per mistake.
    """
    if workers > 1 and launcher != "none":
        raise CamForgeError(f"workers: {workers} beside launcher {launcher!r}: give one of the two")
    if workers < 1:
        raise CamForgeError(f"workers: at least 1, not {workers}")
    loaded = load(config, overrides)
    folder = Path(work_dir) if work_dir is not None else Path("work") / loaded.experiment.name
    store = Path(store or (folder / "store" if work_dir is not None else Path("work") / "store"))
    with _joined(launcher):
        return run_seeds({folder: loaded}, store, device=device, fresh=fresh, quiet=quiet, workers=workers)[0]


def run_seeds(
    asked: Mapping[Path, Loaded], store: Path, *, device: str, fresh: bool, quiet: bool, workers: int
) -> list[Results]:
    """One run in each folder, of experiments that differ in their seeds alone; arguments are those of ``run``.

    The images are read once. Trainings of all of them are shared out to the workers; then each goes on by itself.
    """
    follows = distributed.rank() > 0
    said = [Progress(quiet or follows, log=None if follows else folder / "run.log") for folder in asked]
    title = next(iter(asked.values())).experiment.name
    with ExitStack() as held:
        for folder in asked:
            held.enter_context(_alone_in(folder))
        with said[0].experiment(title, STAGES):
            splits = _opened(asked, said, store, device, fresh)
            failed: list[Failures] = [{} for _ in splits]
            if workers > 1:
                runs = [(loaded.experiment, one.session) for loaded, one in zip(asked.values(), splits, strict=True)]
                failed = train_apart(runs, workers)
            first, *others = zip(asked.values(), asked, splits, failed, strict=True)
            results = [_run_locked(*first)]
        return results + [_run_locked(*other) for other in others]


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
def _alone_in(folder: Path) -> Iterator[None]:
    """The folder made, and no other run in it; the leader holds the lock for its distributed."""
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
    asked: Mapping[Path, Loaded], said: Sequence[Progress], store: Path, device: str, fresh: bool
) -> list[Splits]:
    """The images, read by the first run, and each run's own session. Whatever cannot work is said here."""
    experiment = next(iter(asked.values())).experiment
    where = pick_device(device)
    absent = [name for name in experiment.report.loggers if find_spec(name) is None]
    if absent:
        raise CamForgeError(f"report.loggers: {absent[0]!r} needs a package of that name: pip install {absent[0]}")
    train = prepare_split(experiment, "train", said[0])
    val = prepare_split(experiment, "val", said[0])
    if train.images.classes != val.images.classes:
        raise CamForgeError(f"dataset {experiment.dataset.name!r}: its splits name different classes")
    check_groupers(experiment, train)
    calibration = calibration_split(experiment, train, val, said[0])
    crop = experiment.images.size if experiment.images.train_size else None
    made_by, loggers = uuid4().hex if fresh else "", experiment.report.loggers
    return [
        Splits(
            Session(
                train, Store(store, progress.say, made_by), where, loaded.experiment.seed, progress, crop, loggers,
                folder / "logs",
            ),
            val, calibration,
        )
        for (folder, loaded), progress in zip(asked.items(), said, strict=True)
    ]  # fmt: skip


def _run_locked(loaded: Loaded, folder: Path, splits: Splits, failed: Failures) -> Results:
    experiment, session = loaded.experiment, splits.session
    with session.progress.experiment(experiment.name, STAGES):
        rows = run_arms(experiment, splits, failed)
        manifest = manifest_of(loaded.config, rows, session, splits.val)
        with session.progress.task("report"):
            results = Results(
                build_report_data(experiment, rows, session, splits.val, manifest), folder,
                groupings={row.name: row.grouping for row in rows if row.grouping is not None},
                models={row.name: row.models for row in rows if row.models},
            )  # fmt: skip
            distributed.on_rank_zero(lambda: _write(results, rows))
    return results


def _write(results: Results, rows: Sequence[Row]) -> None:
    """All that the run leaves in its folder."""
    folder = results.folder
    traces = {row.name: row.failure.traceback for row in rows if row.failure is not None}
    if traces:
        text = "\n".join(f"{name}: {results.failures[name]}\n{trace}" for name, trace in traces.items())
        write_atomically(folder / "failures.log", text.encode())
    write_page(results.report, results.report_data)
    picture = contact_sheet(results.report_data)
    if picture is not None:
        save(folder / "gallery.png", picture)
    results.write(
        {row.name: row.measured.empty for row in rows if row.measured.empty},
        {row.name: asdict(row.degenerate) for row in rows if row.degenerate is not None},
    )
