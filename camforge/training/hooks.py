"""What CamForge adds to mmengine's loop: seeds and a record per epoch, checkpoints that are never half-written."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook, RuntimeInfoHook
from mmengine.optim import ReduceOnPlateauLR
from mmengine.runner import Runner
from torch import Tensor

from camforge.files import checksum
from camforge.training import distributed
from camforge.types import CamForgeError


class SeedEveryEpoch(Hook):
    """Random numbers depend on (seed, epoch) alone: a resumed run draws the ones an undisturbed run draws."""

    priority = "VERY_HIGH"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        torch.manual_seed(self.seed * 100_003 + runner.epoch + 1)


class RunInfo(RuntimeInfoHook):
    """mmengine's own, that would read every loss in every step, and so wait for the device."""

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        del batch_idx, data_batch
        runner.message_hub.update_info("iter", runner.iter)

    def after_train_iter(self, *_args: Any, **_named: Any) -> None:
        return


def reads_every(device: torch.device) -> int:
    """After how many steps losses are read: to read them from a GPU is to wait for it."""
    return 1 if device.type == "cpu" else 20


class EpochHistory(Hook):
    """Averages what the steps logged, keeps it in the checkpoint, steps the plateau schedule, ends training early.

    Losses are read every ``read_every`` steps.
    """

    priority = 55  # before mmengine's log is written and its schedules step

    def __init__(
        self,
        name: str,
        stop_at_accuracy: float | None,
        tick: Callable[[int, int, Mapping[str, float]], None] | None,
        read_every: int,
    ) -> None:
        self.name, self.stop_at_accuracy, self.tick, self.read_every = name, stop_at_accuracy, tick, read_every
        self.records: list[dict[str, float]] = []
        self._unread: list[Mapping[str, Tensor]] = []
        self._sums: dict[str, float] = {}
        self._count, self._start = 0, 0.0

    def before_train(self, runner: Runner) -> None:
        if "history" in runner.message_hub.runtime_info:
            self.records = list(runner.message_hub.get_info("history"))
        self._stop_if_good_enough(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        del runner
        self._sums, self._count, self._start = {}, 0, time.perf_counter()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        del data_batch
        steps = len(runner.train_dataloader)
        self._unread.append({name: value.detach() for name, value in (outputs or {}).items()})
        if len(self._unread) == self.read_every or batch_idx + 1 == steps:
            self._read(runner, batch_idx + 2 - len(self._unread))
        if batch_idx + 1 == steps:
            self._log(runner, steps)

    def _read(self, runner: Runner, step: int) -> None:
        """The losses of the steps from ``step`` on; one wait for the device."""
        names = list(self._unread[0])
        values = torch.stack([value for logs in self._unread for value in logs.values()]).double()
        size, self._unread = len(runner.train_dataloader.dataset), []
        for place, row in enumerate(distributed.averaged(values).view(-1, len(names)).tolist()):
            logs = dict(zip(names, row, strict=True))
            self._require_finite(logs, runner, step + place)
            weight = min(runner.train_dataloader.batch_size, size - self._count)
            self._count += weight
            for name, value in logs.items():
                self._sums[name] = self._sums.get(name, 0.0) + value * weight
        if self.tick is not None:
            self.tick(runner.epoch * size + self._count, runner.max_epochs * size, logs)

    def _require_finite(self, logs: Mapping[str, float], runner: Runner, step: int) -> None:
        broken = [name for name, value in logs.items() if not math.isfinite(value)]
        if broken:
            group, name = runner.optim_wrapper.param_groups[0], broken[-1]  # the first is the sum of the others
            where = f"training {self.name!r}: {name} is {logs[name]} in step {step} of epoch {runner.epoch + 1}"
            raise CamForgeError(f"{where}; a smaller lr than {group.get('initial_lr', group['lr'])} may help")

    def _log(self, runner: Runner, steps: int) -> None:
        """The epoch's means, for mmengine's log and what a user's logger draws."""
        rates = {name: rate[0] for name, rate in runner.optim_wrapper.get_lr().items()}
        means = {name: total / self._count for name, total in self._sums.items()}
        seconds = {"time": (time.perf_counter() - self._start) / steps}
        for name, value in (rates | means | seconds).items():
            runner.message_hub.update_scalar(f"train/{name}", value)

    def after_train_epoch(self, runner: Runner) -> None:
        means = {name: total / self._count for name, total in self._sums.items()}
        lr = runner.optim_wrapper.param_groups[0]["lr"]
        self.records.append({"epoch": float(runner.epoch + 1), "lr": lr} | means)
        runner.message_hub.update_info("history", list(self.records))
        for scheduler in runner.param_schedulers or []:
            if isinstance(scheduler, ReduceOnPlateauLR):
                self._step(scheduler, means)
        self._stop_if_good_enough(runner)

    def _step(self, scheduler: ReduceOnPlateauLR, means: dict[str, float]) -> None:
        if scheduler.monitor not in means:
            message = f"trainer.schedule: no loss is called {scheduler.monitor!r}; logged: {', '.join(means)}"
            raise CamForgeError(f"training {self.name!r}: {message}")
        scheduler.step(means)

    def _stop_if_good_enough(self, runner: Runner) -> None:
        wanted, last = self.stop_at_accuracy, self.records[-1] if self.records else {}
        if wanted is not None and last.get("accuracy", 0.0) > wanted:
            runner.train_loop.stop_training = True


class Checkpoint(Hook):
    """The newest checkpoint, renamed into place when it is whole; beside it its checksum and the one before's.

    An epoch ends with one when its writing takes at most SHARE of the time since the last one. So a killed training
    does one epoch again, or as many as take 50 times as long as a checkpoint.
    """

    priority = "VERY_LOW"
    FILE, SUMS = "checkpoint.pth", "checkpoint.sha256"
    SHARE = 0.02
    SPEED = 3e8  # bytes a second, as long as none has been written; Adam keeps three numbers per weight

    def __init__(self) -> None:
        self._cost, self._since = 0.0, 0.0

    @classmethod
    def found(cls, folder: Path) -> Path | None:
        """The folder's checkpoint, if its checksum is known: torch reads a file with a flipped byte without a word."""
        return distributed.on_rank_zero(lambda: cls._found(folder))

    @classmethod
    def _found(cls, folder: Path) -> Path | None:
        file, sums = folder / cls.FILE, folder / cls.SUMS
        known = file.is_file() and sums.is_file() and checksum(file) in sums.read_text().split()
        return file if known else None

    def before_train(self, runner: Runner) -> None:
        weights = sum(value.nbytes for value in runner.model.parameters())
        self._cost, self._since = 3 * weights / self.SPEED, time.perf_counter()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Without mmengine's logs: their buffers are not plain data."""
        del runner
        checkpoint["message_hub"]["log_scalars"] = {}

    def after_train_epoch(self, runner: Runner) -> None:
        start = time.perf_counter()
        if distributed.on_rank_zero(lambda: self._cost <= self.SHARE * (start - self._since)):
            runner.save_checkpoint(runner.work_dir, self.FILE + ".partial", by_epoch=True)
            distributed.on_rank_zero(lambda: self._place(Path(runner.work_dir)))
            self._since = time.perf_counter()
            self._cost = self._since - start

    def _place(self, folder: Path) -> None:
        """The checksums first: whenever the process ends, that of the file in place is among them."""
        file, sums, partial = folder / self.FILE, folder / self.SUMS, folder / (self.FILE + ".partial")
        before = sums.read_text().split()[:1] if sums.is_file() else []
        listed = sums.with_suffix(".partial")
        listed.write_text("\n".join([checksum(partial), *before]))
        os.replace(listed, sums)
        os.replace(partial, file)
