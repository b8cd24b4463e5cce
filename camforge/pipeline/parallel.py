"""Groupings, trainings and extractions side by side, by workers that share nothing but the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from joblib.externals.loky.backend.reduction import dumps
from rich.console import Console

from camforge.config.schema import Experiment
from camforge.host.errors import message_of
from camforge.host.failure import Failure, disk_fault, distribution_of
from camforge.pipeline.arms import extract_arms, sharing_networks, train_arm
from camforge.pipeline.group import group
from camforge.pipeline.session import Session, Splits, recipe_of
from camforge.pipeline.train import ArmContext
from camforge.progress.progress import Progress
from camforge.store.store import Store, digest
from camforge.training.device import pick_device
from camforge.training.executors import Pool
from camforge.types import CamForgeError, View

Failures = dict[str, Failure]

_splits: dict[str, Splits] = {}
"""Of a worker: the images that it works with."""


@dataclass(frozen=True)
class WorkerContext:
    """What a worker must know of a run. ``data_key`` names the images: if it changes, the worker reads them again.

    shared  the processes of a machine that hold images: its workers, and the run itself
    """

    experiment: Experiment
    data_key: str
    store: Path
    fresh: str
    device: str
    quiet: bool
    log: Path | None
    log_folder: Path
    shared: int


@dataclass(frozen=True)
class Task:
    """One thing to make: an arm's grouping, or the networks of one of its views, the ``place``-th, or maps.

    key   the same for tasks that make the same
    arms  those whose maps are extracted; they share their networks
    """

    run: int
    arm: str
    key: str
    view: View | None = None
    place: int = -1
    arms: tuple[str, ...] = ()


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
        """The next task whose key no worker is computing, so that no worker waits for another."""
        self.waiting = [task for task in self.waiting if not (task.key in self.made or self._is_vain(task))]
        task = next((task for task in self.waiting if task.key not in busy), None)
        if task is not None:
            self.waiting.remove(task)
        return task

    def settle(self, task: Task, result: TaskResult) -> None:
        """An arm's views come before other arms' groupings, whose networks are then often there already."""
        if result.failure is None:
            self.made.add(task.key)
            views = [Task(task.run, task.arm, key, view, i) for i, (key, view) in enumerate(result.views)]
            self.waiting[:0] = views
        elif not self._is_vain(task):
            self.failed[task.run, task.arm] = (task.place, result.failure)

    def _is_vain(self, task: Task) -> bool:
        """An earlier task of this arm failed: a single process would not come to this one."""
        return task.place > self.failed.get((task.run, task.arm), (task.place, None))[0]


def share_out(sessions: Sequence[Session], pool: Pool) -> list[Failures]:
    """All networks and maps of all runs into the store; of each run the arms that failed, and why.

    The runs see the same images. What two arms need is made once. Where a process dies for good, what is left is for
    the caller to make: checkpoints stand.
    """
    for session in sessions:
        _check_pickles(session.experiment)
    data_key = uuid4().hex
    contexts = [_worker_context(session, data_key, pool) for session in sessions]
    queue = TaskQueue([_grouping(i, name, s.experiment) for i, s in enumerate(sessions) for name in s.experiment.arms])
    if not _work_off(queue, "train", contexts, sessions, pool):
        return [{} for _ in sessions]
    failed = [_failures_of(queue, run) for run in range(len(sessions))]
    maps = [
        Task(run, names[0], f"maps {run} {names[0]}", arms=tuple(names))
        for run, session in enumerate(sessions)
        for names in sharing_networks(session, failed[run])
    ]
    _work_off(TaskQueue(maps), "extract", contexts, sessions, pool)
    return failed


def _work_off(
    queue: TaskQueue, stage: str, contexts: Sequence[WorkerContext], sessions: Sequence[Session], pool: Pool
) -> bool:
    """Whether every task came to an end; False where workers died and no other took their tasks."""
    busy: dict[Future[TaskResult], Task] = {}
    tick, count = sessions[0].progress.counting(stage), 0
    try:
        while True:
            while len(busy) < pool.size and (task := queue.take({task.key for task in busy.values()})):
                busy[pool.executor.submit(work, contexts[task.run], task)] = task
            if not busy:
                return True
            for ended in wait(busy, return_when=FIRST_COMPLETED).done:
                _settle(queue, busy.pop(ended), ended.result(), sessions)
                count += 1
                tick(count, count + len(busy) + len(queue.waiting))
    except pool.broken as error:
        message = "a worker died (killed, or out of memory): what is not there yet is made one after another"
        sessions[0].progress.say(f"{message} ({type(error).__name__})")
        return False
    except BaseException:
        pool.kill()  # Ctrl-C, a full disk: their checkpoints stand
        raise


def _failures_of(queue: TaskQueue, run: int) -> Failures:
    return {arm: failure for (of_run, arm), (_, failure) in queue.failed.items() if of_run == run}


def _check_pickles(experiment: Experiment) -> None:
    """Raises CamForgeError that names a plugin which cannot be sent to another process."""
    arms = experiment.arms.values()
    of_arms = (plugin for arm in arms for plugin in (arm.grouper, arm.trainer, arm.extractor, *arm.fusers))
    for plugin in (experiment.dataset, *experiment.metrics, *of_arms):
        try:
            dumps(plugin)
        except Exception as error:
            raise CamForgeError(
                f"workers: {plugin.kind} {plugin.name!r} of {distribution_of(plugin)} cannot be sent to another process"
                f" ({type(error).__name__}: {message_of(error)}): run it with one worker"
            ) from None


def _worker_context(session: Session, data_key: str, pool: Pool) -> WorkerContext:
    progress, store = session.progress, session.store
    quiet = progress.console.quiet or progress.is_live
    return WorkerContext(
        session.experiment, data_key, store.root.resolve(), store.fresh, pool.device or str(session.device), quiet,
        None if progress.log is None else progress.log.resolve(), session.log_folder.resolve(),
        pool.per_machine + 1,
    )  # fmt: skip


def _grouping(run: int, name: str, experiment: Experiment) -> Task:
    arm = experiment.arms[name]
    return Task(run, name, digest([recipe_of(arm.grouper), recipe_of(arm.trainer), experiment.seed]))


def _settle(queue: TaskQueue, task: Task, result: TaskResult, sessions: Sequence[Session]) -> None:
    progress = sessions[task.run].progress
    for label, spent in result.seconds.items():
        progress.seconds[label] = progress.seconds.get(label, 0.0) + spent
    if result.failure is not None:
        progress.say(f"arm {task.arm!r} ended: {result.failure.reason}")
    queue.settle(task, result)


def work(context: WorkerContext, task: Task) -> TaskResult:
    """In a worker: one task. Raises OSError of a full or read-only disk, which no arm has caused."""
    plain = Console(stderr=True, quiet=context.quiet, force_terminal=False)  # bars of several processes would mix
    progress = Progress(console=plain, log=context.log)
    try:
        return _made(task, _session(context, progress), progress)
    except Exception as error:
        if fault := disk_fault(error):
            raise fault from None
        return TaskResult(progress.seconds, failure=Failure.from_exception(error))


def _session(context: WorkerContext, progress: Progress) -> Session:
    if context.data_key not in _splits:
        _splits.clear()
        splits = Splits(context.experiment, Progress(quiet=True), context.store, context.shared)
        _splits[context.data_key] = splits
    store, device = Store(context.store, progress.say, context.fresh), pick_device(context.device)
    return Session(context.experiment, _splits[context.data_key], store, device, progress, context.log_folder)


def _made(task: Task, session: Session, progress: Progress) -> TaskResult:
    """Maps, a view's networks, or a grouping."""
    if task.arms:
        extract_arms([train_arm(name, session) for name in task.arms], session)
        return TaskResult(progress.seconds)
    arm = session.experiment.arms[task.arm]
    context = ArmContext(session, arm.trainer)
    if task.view is not None:
        context.train(task.view)
        return TaskResult(progress.seconds)
    grouping, _ = group(arm, session)
    return TaskResult(progress.seconds, tuple((context.key(view), view) for view in grouping.views))
