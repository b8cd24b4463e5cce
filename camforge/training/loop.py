"""The training loop: mmengine's Runner, told what a learner and a schedule are. Nothing else touches the Runner."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import torch
from mmengine.dataset import DefaultSampler
from mmengine.logging import MMLogger
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper, PolyLR, ReduceOnPlateauLR
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from camforge.capture.rerun import out_of_memory
from camforge.data.geometry import random_crop
from camforge.data.prepared import Prepared
from camforge.interfaces import Learner, Trainer
from camforge.training import distributed
from camforge.training.hooks import CheckpointEveryEpoch, EpochHistory, SeedEveryEpoch
from camforge.types import CamForgeError, Network, View


@dataclass(frozen=True, eq=False)
class Training:
    """One training: a trainer, a view, the images it may use, and where its checkpoint lies meanwhile."""

    trainer: Trainer
    view: View
    data: Prepared
    use: Tensor
    """(M,) bool: the images of ``data`` that this training may see."""
    seed: int
    device: torch.device
    folder: Path
    size: int | None = None
    """Side of the random square that is cut out of each image; None: the whole image."""
    loggers: Sequence[str] = ()
    """mmengine's visualisation back ends by class name, that write into ``log_folder``."""
    log_folder: Path | None = None
    tick: Callable[[int, int, Mapping[str, float]], None] | None = None
    """tick(images, images of all epochs, logs) after every step."""


class _Batches(Dataset[Any]):
    """Pixels and targets, fetched a batch at a time; of each batch this process's share, and how many it is of."""

    metainfo: dict[str, Any] = {}

    def __init__(self, data: Prepared, places: Tensor, targets: Tensor) -> None:
        self.data, self.places, self.targets = data, places, targets

    def __len__(self) -> int:
        return len(self.places)

    def __getitems__(self, items: list[int]) -> dict[str, Tensor]:
        mine = items[distributed.share(len(items))]
        pixels = self.data.pixels(self.places[mine].tolist())
        return {"images": pixels, "targets": self.targets[mine], "of": torch.tensor(len(items))}


class _SameOrder(DefaultSampler):
    """The batches of one process, in every process: each takes its share of every batch."""

    def __init__(self, data: _Batches, seed: int) -> None:
        super().__init__(data, shuffle=True, seed=seed)
        self.rank, self.world_size = 0, 1
        self.num_samples = self.total_size = len(data)


class _Model(BaseModel):
    """A learner as mmengine sees it: pixels in, losses out."""

    def __init__(self, learner: Learner, task: Training) -> None:
        super().__init__()
        self.learner = learner
        self._task = task

    def forward(self, images: Tensor, targets: Tensor, of: Tensor, mode: str = "loss") -> dict[str, Tensor]:
        """Random numbers are drawn for the whole batch, so that any number of processes sees the same images."""
        del mode
        task, total = self._task, int(of)
        mine = distributed.share(total)
        distributed.share_statistics(self.learner, total >= distributed.size())
        if task.size is not None:
            images = random_crop(images, task.size, total, mine)
        images = task.data.geometry.normalise(images.to(task.device, non_blocking=True))
        if task.trainer.flip:
            mirrored = torch.rand(total)[mine] < 0.5
            images = torch.where(mirrored[:, None, None, None].to(images.device), images.flip(-1), images)
        if task.trainer.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(task.device.type, torch.bfloat16, enabled=task.trainer.amp):
            losses = self.learner.losses(images, targets.to(task.device))
        broken = [f"{name} is {value.item()}" for name, value in losses.items() if not torch.isfinite(value).all()]
        if distributed.any_of(bool(broken)):
            message = f"training {task.view.name!r}: {broken[0] if broken else 'a loss is not a number'}"
            raise CamForgeError(f"{message}; a smaller lr than {task.trainer.lr} may help")
        return self._weighted(losses, len(images), total)

    def _weighted(self, losses: dict[str, Tensor], count: int, total: int) -> dict[str, Tensor]:
        """So that the mean over the processes is the value of the whole batch."""
        if distributed.size() == 1 or total < distributed.size():
            return losses
        part = {name: 1.0 if name in self.learner.summed else count / total for name in losses}
        return {name: value * (part[name] * distributed.size()) for name, value in losses.items()}


class _QuietRunner(Runner):
    """A Runner without the survey of compilers at each start (seconds per network), its log only in its file."""

    def _log_env(self, env_cfg: Any) -> None:
        del env_cfg

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        logger.handlers[:] = [h for h in logger.handlers if h.__class__.__name__ == "FileHandler"]
        return logger


def train(task: Training) -> tuple[Learner, list[dict[str, float]]]:
    """The trained learner, in eval mode on the CPU's or GPU's memory, and one record per epoch.

    Goes on from the checkpoint in ``task.folder`` if there is a whole one. Raises CamForgeError when a loss is not a
    number or memory runs out.
    """
    targets = task.view.targets(task.data.labels)
    places = (task.use & task.view.usable(task.data.labels)).nonzero().flatten()
    _check_targets(task, targets[places])
    torch.manual_seed(task.seed)
    history = EpochHistory(task.trainer.stop_at_accuracy, task.tick)
    with _memory_of(task), redirect_stdout(StringIO()):  # mmengine prints which file it resumes from
        learner = task.trainer.learner(len(task.view.outputs))
        if task.trainer.channels_last:
            learner = learner.to(memory_format=torch.channels_last)
        learner = cast(Learner, distributed.synchronise_batch_norms(learner.to(task.device)))
        runner = _runner(task, learner, _Batches(task.data, places, targets[places].float()), history)
        try:
            runner.train()
        finally:
            for handler in runner.logger.handlers:  # mmengine would keep the log of every training open
                handler.close()
    return learner.eval(), history.records


@contextmanager
def _memory_of(task: Training) -> Iterator[None]:
    """A batch is not made smaller by itself: that would be another training."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        message = (
            f"training {task.view.name!r}: memory ran out with batch_size {task.trainer.batch_size} on {task.device}"
        )
        hint = "a smaller trainer.batch_size, images.size or backbone, or amp, may help"
        raise CamForgeError(f"{message}; {hint}") from error


def _check_targets(task: Training, targets: Tensor) -> None:
    shown = targets.sum(0).tolist()
    empty = [name for name, n in zip(task.view.outputs, shown, strict=True) if n == 0]
    if empty:
        raise CamForgeError(f"training {task.view.name!r}: no training image shows {', '.join(empty)}")


def _runner(task: Training, learner: Learner, data: _Batches, history: EpochHistory) -> Runner:
    trainer = task.trainer
    loader = DataLoader(
        data,
        batch_size=trainer.batch_size,
        sampler=_SameOrder(data, task.seed),
        collate_fn=lambda batch: batch,
    )
    optimizer = _optimizer(trainer, learner)
    checkpoint = CheckpointEveryEpoch.found(task.folder)
    runner = _QuietRunner(
        model=_Model(learner, task) if distributed.size() == 1 else _shared(_Model(learner, task)),
        work_dir=str(task.folder),
        train_dataloader=loader,
        train_cfg={"by_epoch": True, "max_epochs": trainer.epochs},
        optim_wrapper=OptimWrapper(optimizer),
        param_scheduler=_schedule(trainer, optimizer, trainer.epochs * len(loader)),
        default_hooks={"checkpoint": None, "logger": {"type": "LoggerHook", "interval": max(1, len(loader))}},
        custom_hooks=[SeedEveryEpoch(task.seed), history, CheckpointEveryEpoch()],
        load_from=None if checkpoint is None else str(checkpoint),
        resume=checkpoint is not None,
        visualizer=_visualizer(task),
        launcher="none" if distributed.size() == 1 else "pytorch",
        experiment_name=f"camforge-{uuid4().hex}",
        randomness={"seed": task.seed},
        default_scope="mmengine",
        log_level="INFO",
    )
    runner.model.to(task.device)
    return runner


def _visualizer(task: Training) -> dict[str, Any] | None:
    if not task.loggers:
        return None
    return {"type": "Visualizer", "vis_backends": [{"type": n} for n in task.loggers], "save_dir": str(task.log_folder)}


def _shared(model: _Model) -> MMDistributedDataParallel:
    """Gradients averaged over the processes; parameters that a learner's losses do not reach may stand in it."""
    return MMDistributedDataParallel(model, static_graph=True)


def _optimizer(trainer: Trainer, learner: Learner) -> torch.optim.Optimizer:
    networks = [network for network in learner.networks if isinstance(network, Network)]
    heads = {id(p) for network in networks for p in network.body.get_submodule(network.head).parameters()}
    groups: list[dict[str, Any]] = [
        {"params": [p for p in learner.parameters() if id(p) not in heads]},
        {"params": [p for p in learner.parameters() if id(p) in heads], "lr": trainer.head_lr or trainer.lr},
    ]
    options: dict[str, Any] = {"lr": trainer.lr, "weight_decay": trainer.weight_decay}
    if trainer.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, nesterov=True, **options)
    return (torch.optim.AdamW if trainer.optimizer == "adamw" else torch.optim.Adam)(groups, **options)


def _schedule(trainer: Trainer, optimizer: torch.optim.Optimizer, steps: int) -> list[Any] | None:
    """mmengine's schedulers; each scales every group's own learning rate."""
    if trainer.schedule == "plateau":
        how = trainer.plateau
        return [ReduceOnPlateauLR(optimizer, "loss", "less", how.factor, how.patience, how.threshold)]
    if trainer.schedule == "poly":
        return [PolyLR(optimizer, eta_min=0.0, power=0.9, end=steps, by_epoch=False)]
    if trainer.schedule == "onecycle":
        warm = max(1, math.ceil(0.15 * steps))
        return [
            LinearLR(optimizer, start_factor=0.04, end=warm, by_epoch=False),
            CosineAnnealingLR(optimizer, max(1, steps - warm), eta_min=0.0, begin=warm, end=steps, by_epoch=False),
        ]
    return None
