"""Trainings of several arms side by side, in processes that share nothing but the store."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import torch
from joblib import Parallel, delayed, parallel_config
from rich.console import Console

from camforge.experiment.failure import Failure
from camforge.experiment.pipeline import prepare_split, train_arm
from camforge.experiment.progress import Progress
from camforge.experiment.schema import Experiment
from camforge.experiment.store import Store
from camforge.experiment.workshop import Bench
from camforge.training.images import Prepared

_split: dict[str, Prepared] = {}
"""Of a worker: the training images of the run that it works for."""


@dataclass(frozen=True)
class Job:
    """What a worker is told. ``run`` names the run: a worker that is used again reads the images of another anew."""

    experiment: Experiment
    run: str
    store: Path
    not_before: float
    device: str
    crop: int | None
    quiet: bool
    log: Path | None
    log_folder: Path


def train_apart(experiment: Experiment, bench: Bench, workers: int) -> dict[str, Failure]:
    """Every arm's networks into the store, ``workers`` arms at a time; the arms that failed, and why.

    Each process has its share of the threads. The store's locks let one train what two need. Where a process dies,
    the arms that are left are for the caller to train: their checkpoints stand.
    """
    said, store = bench.progress, bench.store
    quiet = said.console.quiet or said.is_live
    job = Job(
        experiment, uuid4().hex, store.root, store.not_before, str(bench.device), bench.crop,
        quiet, said.log, bench.log_folder,
    )  # fmt: skip
    failures: dict[str, Failure] = {}
    share = max(1, torch.get_num_threads() // workers)
    try:
        with parallel_config("loky", n_jobs=workers, inner_max_num_threads=share):
            tasks = (delayed(_train)(job, name) for name in experiment.arms)
            ended = Parallel(return_as="generator_unordered", batch_size=1)(tasks)
            for name, failure, seconds in said.counted("train", ended, len(experiment.arms)):
                _add(said.seconds, seconds)
                if failure is not None:
                    failures[name] = failure
                    said.say(f"arm {name!r} ended: {failure.reason}")
    except BrokenProcessPool:
        said.say("a worker died (killed, or out of memory): what is not trained yet is trained one after another")
    return failures


def _add(all_seconds: dict[str, float], seconds: Mapping[str, float]) -> None:
    for label, spent in seconds.items():
        all_seconds[label] = all_seconds.get(label, 0.0) + spent


def _train(job: Job, name: str) -> tuple[str, Failure | None, dict[str, float]]:
    """In a worker: one arm. The seconds are those of its stages, not of the images read anew."""
    plain = Console(stderr=True, quiet=job.quiet, force_terminal=False)  # bars of several processes would mix
    progress = Progress(console=plain, log=job.log)
    try:
        if job.run not in _split:
            _split.clear()
            _split[job.run] = prepare_split(job.experiment, "train", Progress(quiet=True))
        store = Store(job.store, progress.say, job.not_before)
        device = torch.device(job.device)
        experiment, loggers = job.experiment, job.experiment.report.loggers
        bench = Bench(_split[job.run], store, device, experiment.seed, progress, job.crop, loggers, job.log_folder)
        train_arm(name, job.experiment.arms[name], bench)
    except Exception as error:
        return name, Failure.of(error), progress.seconds
    return name, None, progress.seconds
