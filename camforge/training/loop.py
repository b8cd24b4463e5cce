"""The training loop: mmengine's Runner, told what a learner and a schedule are. Nothing else touches the Runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast
from uuid import uuid4

import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseDataPreprocessor, BaseModel, MMDistributedDataParallel
from mmengine.runner import Runner
from torch import Tensor

from camforge.capture.rerun import out_of_memory
from camforge.data.prepared import Prepared
from camforge.interfaces import Learner, SeedLearner, Trainer
from camforge.training import distributed
from camforge.training.batches import Batches, Loader, SameOrder
from camforge.training.hooks import Checkpoint, EpochHistory, RunInfo, SeedEveryEpoch, reads_every
from camforge.training.optimization import optimizer_of, schedule_of
from camforge.training.precision import autocast, gpu_arithmetic, wrapped
from camforge.training.seeds import FoundSeeds, cropped, mirrored
from camforge.training.vocabulary import build_hook, require_known
from camforge.types import CamForgeError, View


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
    """tick(images, images of all epochs, logs) whenever losses have been read: after every step on a CPU."""
    seeds: FoundSeeds | None = None
    """What stands in the place of labels as a learner's targets."""

    def __deepcopy__(self, memo: object) -> Training:
        """Itself: a copy of the model, such as an averaged one, trains on the same images."""
        del memo
        return self


class _Model(BaseModel):
    """A learner as mmengine sees it: pixels in, losses out."""

    def __init__(self, learner: Learner, task: Training) -> None:
        super().__init__(BaseDataPreprocessor(non_blocking=True))
        self.learner = learner
        self._task = task
        self._losses = torch.compile(learner.losses) if task.trainer.compile else learner.losses

    def forward(self, images: Tensor, targets: Tensor, of: int, mode: str = "loss") -> dict[str, Tensor]:
        """Random numbers are drawn for the whole batch, so that any number of processes sees the same images."""
        del mode
        task, mine = self._task, distributed.share(of)
        distributed.share_statistics(self.learner, of >= distributed.size())
        if task.size is not None:
            images, targets = cropped(images, targets, task.size, of, mine)
        if task.trainer.flip:  # of bytes: a quarter of the memory of what the network sees
            chosen = (torch.rand(of)[mine] < 0.5).to(images.device, non_blocking=True)
            images, targets = (mirrored(values, chosen) for values in (images, targets))
        images = task.data.geometry.normalise(images)
        if task.trainer.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        with autocast(task.trainer.amp, images.device):
            losses = self._losses(images, targets)
        return self._weighted(losses, len(images), of)

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
    """The trained learner, in eval mode and on the CPU, and one record per epoch.

    Goes on from the checkpoint in ``task.folder`` if there is a whole one. Raises CamForgeError when a loss is not a
    number or memory runs out.
    """
    require_known(task.trainer)
    targets = task.view.targets(task.data.labels)
    places = (task.use & task.view.usable(task.data.labels)).nonzero().flatten()
    _check_targets(task, targets[places])
    torch.manual_seed(task.seed)
    history = EpochHistory(task.view.name, task.trainer.stop_at_accuracy, task.tick, reads_every(task.device))
    with _one_line(task), gpu_arithmetic(task.trainer, task.device), redirect_stdout(StringIO()):  # mmengine prints
        learner = task.trainer.learner(len(task.view.outputs))
        if task.seeds is not None and task.seeds.networks:
            cast(SeedLearner, learner).take_over(task.seeds.networks)
        if task.trainer.channels_last:
            learner = learner.to(memory_format=torch.channels_last)
        learner = cast(Learner, distributed.synchronise_batch_norms(learner.to(task.device)))
        batches = Batches(task.data, places, targets[places], task.device, task.seeds)
        runner = _runner(task, learner, batches, history)
        try:
            runner.train()
            if task.trainer.hooks:
                _take_what_hooks_made(runner)
        finally:
            _let_go(runner)
    return learner.eval().cpu(), history.records


def _take_what_hooks_made(runner: Runner) -> None:
    """The weights that mmengine would save: a hook such as EMAHook puts its averaged ones in their place."""
    model = runner.model.module if distributed.size() > 1 else runner.model
    checkpoint = {"state_dict": model.state_dict(), "message_hub": runner.message_hub.state_dict()}
    runner.call_hook("before_save_checkpoint", checkpoint=checkpoint)
    model.load_state_dict(checkpoint["state_dict"])


def _let_go(runner: Runner) -> None:
    """mmengine would keep the log of every training open, and the optimiser its state on the device."""
    for handler in runner.logger.handlers:
        handler.close()
    runner.optim_wrapper.optimizer.zero_grad(set_to_none=True)
    runner.optim_wrapper.optimizer.state.clear()


@contextmanager
def _one_line(task: Training) -> Iterator[None]:
    """What may fail in torch and mmengine, with what helps. A batch is not made smaller: that is another training."""
    start, trainer = f"training {task.view.name!r}", task.trainer
    try:
        yield
    except UnpicklingError as error:
        reason = next((line for line in str(error).splitlines() if "GLOBAL" in line), "").strip()
        hint = "where that class is defined, call torch.serialization.add_safe_globals, or take the hook out"
        raise CamForgeError(f"{start}: its checkpoint holds more than plain data: {reason}; {hint}") from error
    except (RuntimeError, MemoryError) as error:
        if out_of_memory(error):
            message = f"{start}: memory ran out with batch_size {trainer.batch_size} on {task.device}"
            hint = "a smaller trainer.batch_size, images.size or backbone, or amp, may help"
        elif trainer.compile and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            message, hint = (
                f"{start}: torch.compile failed: {str(error).strip().splitlines()[0]}",
                "compile: false helps",
            )
        else:
            raise
        raise CamForgeError(f"{message}; {hint}") from error


def _check_targets(task: Training, targets: Tensor) -> None:
    shown = targets.sum(0).tolist()
    empty = [name for name, n in zip(task.view.outputs, shown, strict=True) if n == 0]
    if empty:
        raise CamForgeError(f"training {task.view.name!r}: no training image shows {', '.join(empty)}")


def _runner(task: Training, learner: Learner, data: Batches, history: EpochHistory) -> Runner:
    trainer = task.trainer
    loader = Loader(
        data,
        batch_size=trainer.batch_size,
        sampler=SameOrder(data, task.seed),
        collate_fn=lambda batch: batch,
    )
    optimizer = optimizer_of(trainer, learner)
    checkpoint = Checkpoint.found(task.folder)
    runner = _QuietRunner(
        model=_Model(learner, task) if distributed.size() == 1 else _shared(_Model(learner, task)),
        work_dir=str(task.folder),
        train_dataloader=loader,
        train_cfg={"by_epoch": True, "max_epochs": trainer.epochs},
        optim_wrapper=wrapped(optimizer, trainer, task.device),
        param_scheduler=schedule_of(trainer, optimizer, len(loader)),
        default_hooks=_default_hooks(len(loader)),
        custom_hooks=[SeedEveryEpoch(task.seed), history, Checkpoint(), *map(build_hook, trainer.hooks)],
        log_processor={"window_size": 1},
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


def _default_hooks(steps: int) -> dict[str, Any]:
    """mmengine's own, without those that CamForge's replace; its log has one line per epoch."""
    logger = {"type": "LoggerHook", "interval": max(1, steps)}
    return {"checkpoint": None, "timer": None, "runtime_info": RunInfo(), "logger": logger}


def _visualizer(task: Training) -> dict[str, Any] | None:
    if not task.loggers:
        return None
    return {"type": "Visualizer", "vis_backends": [{"type": n} for n in task.loggers], "save_dir": str(task.log_folder)}


def _shared(model: _Model) -> MMDistributedDataParallel:
    """Gradients averaged over the processes; parameters that a learner's losses do not reach may stand in it."""
    return MMDistributedDataParallel(model, static_graph=True)
