"""Trainings side by side, in processes that share nothing but the store: of every view, arm and seed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import torch
from joblib.externals.loky import get_reusable_executor
from rich.console import Console

from camforge.config.schema import Experiment
from camforge.data.prepared import Prepared
from camforge.pipeline.arms import prepare_split
from camforge.pipeline.failure import Failure, disk_fault
from camforge.pipeline.group import group
from camforge.pipeline.session import ArmContext, Session, recipe_of
from camforge.progress.progress import Progress
from camforge.store.store import Store, digest
from camforge.types import View

Failures = dict[str, Failure]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
IDLE = 300  # seconds that a worker without work is kept for the next experiment of a suite

_split: dict[str, Prepared] = {}
"""Of a worker: the training images that it works with."""


@dataclass(frozen=True)
class WorkerContext:
    """What a worker is told of a run. ``images`` names what was read: of another it reads the images anew."""

    experiment: Experiment
    images: str
    store: Path
    fresh: str
    device: str
    crop: int | None
    quiet: bool
    log: Path | None
    log_folder: Path


@dataclass(frozen=True)
class Task:
    """One thing to make: an arm's grouping (no view), or the networks of one of its views, the ``place``-th.

    key  the same for tasks that make the same
    """

    run: int
    arm: str
    key: str
    view: View | None = None
    place: int = -1


@dataclass(frozen=True)
class TaskResult:
    """What came of a task: for a grouping its views with their keys. The seconds are those of the stages alone."""

    seconds: dict[str, float]
    views: tuple[tuple[str, View], ...] = ()
    failure: Failure | None = None


@dataclass
class TaskQueue:
    """What is still to be made, and which arms failed, at which of their tasks first."""

    waiting: list[Task]
    made: set[str] = field(default_factory=set)
    failed: dict[tuple[int, str], tuple[int, Failure]] = field(default_factory=dict)

    def take(self, busy: Collection[str]) -> Task | None:
        """The next task, but of what is being made none: nobody waits for what another worker makes."""
        self.waiting = [task for task in self.waiting if not (task.key in self.made or self._is_vain(task))]
        task = next((task for task in self.waiting if task.key not in busy), None)
        if task is not None:
            self.waiting.remove(task)
        return task

    def settle(self, task: Task, done: TaskResult) -> None:
        """An arm's views come before other arms' groupings, whose networks are then often there already."""
        if done.failure is None:
            self.made.add(task.key)
            views = [Task(task.run, task.arm, key, view, i) for i, (key, view) in enumerate(done.views)]
            self.waiting[:0] = views
        elif not self._is_vain(task):
            self.failed[task.run, task.arm] = (task.place, done.failure)

    def _is_vain(self, task: Task) -> bool:
        """Whether one process would not come to it: the arm fails before."""
        return task.place > self.failed.get((task.run, task.arm), (task.place, None))[0]


def train_apart(runs: Sequence[tuple[Experiment, Session]], workers: int) -> list[Failures]:
    """All networks of all runs into the store, ``workers`` at a time; of each run the arms that failed, and why.

    The runs see the same images. Each process has its share of the threads; what two arms need is made once. Where a
    process dies, what is left is for the caller to make: checkpoints stand.
    """
    images = uuid4().hex
    jobs = [_job(experiment, session, images) for experiment, session in runs]
    queue = TaskQueue(
        [_grouping(i, name, job.experiment) for i, job in enumerate(jobs) for name in job.experiment.arms]
    )
    share = str(max(1, torch.get_num_threads() // workers))
    pool = get_reusable_executor(workers, timeout=IDLE, env=dict.fromkeys(THREADS, share))
    busy: dict[Future[TaskResult], Task] = {}
    tick, count = runs[0][1].progress.counting("train"), 0
    try:
        while True:
            while len(busy) < workers and (task := queue.take({task.key for task in busy.values()})):
                busy[pool.submit(work, jobs[task.run], task)] = task
            if not busy:
                break
            for ended in wait(busy, return_when=FIRST_COMPLETED).done:
                _settle(queue, busy.pop(ended), ended.result(), runs)
                count += 1
                tick(count, count + len(busy) + len(queue.waiting))
    except BrokenProcessPool:
        message = "a worker died (killed, or out of memory): what is not trained yet is trained one after another"
        runs[0][1].progress.say(message)
        return [{} for _ in runs]
    except BaseException:
        pool.shutdown(kill_workers=True)  # Ctrl-C: their checkpoints stand
        raise
    return [{arm: failure for (run, arm), (_, failure) in queue.failed.items() if run == i} for i in range(len(runs))]


def _job(experiment: Experiment, session: Session, images: str) -> WorkerContext:
    said, store = session.progress, session.store
    quiet = said.console.quiet or said.is_live
    return WorkerContext(
        experiment, images, store.root, store.fresh, str(session.device), session.crop,
        quiet, said.log, session.log_folder,
    )  # fmt: skip


def _grouping(run: int, name: str, experiment: Experiment) -> Task:
    arm = experiment.arms[name]
    return Task(run, name, digest([recipe_of(arm.grouper), recipe_of(arm.trainer), experiment.seed]))


def _settle(queue: TaskQueue, task: Task, done: TaskResult, runs: Sequence[tuple[Experiment, Session]]) -> None:
    said = runs[task.run][1].progress
    for label, spent in done.seconds.items():
        said.seconds[label] = said.seconds.get(label, 0.0) + spent
    if done.failure is not None:
        said.say(f"arm {task.arm!r} ended: {done.failure.reason}")
    queue.settle(task, done)


def work(job: WorkerContext, task: Task) -> TaskResult:
    """In a worker: one task. Raises OSError of a full or read-only disk, which is no arm's fault."""
    plain = Console(stderr=True, quiet=job.quiet, force_terminal=False)  # bars of several processes would mix
    progress = Progress(console=plain, log=job.log)
    experiment, arm = job.experiment, job.experiment.arms[task.arm]
    try:
        if job.images not in _split:
            _split.clear()
            _split[job.images] = prepare_split(experiment, "train", Progress(quiet=True))
        store, device = Store(job.store, progress.say, job.fresh), torch.device(job.device)
        loggers = experiment.report.loggers
        session = Session(
            _split[job.images], store, device, experiment.seed, progress, job.crop, loggers, job.log_folder
        )  # fmt: skip
        context = ArmContext(session, arm.trainer)
        if task.view is not None:
            context.train(task.view)
            return TaskResult(progress.seconds)
        grouping, _ = group(arm, session)
        return TaskResult(progress.seconds, tuple((context.key(view), view) for view in grouping.views))
    except Exception as error:
        if fault := disk_fault(error):
            raise fault from None
        return TaskResult(progress.seconds, failure=Failure.from_exception(error))
