"""What CamForge adds to mmengine's loop: seeds and a record per epoch, checkpoints that are never half-written."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import ReduceOnPlateauLR
from mmengine.runner import Runner

from camforge.files import checksum
from camforge.training import distributed


class SeedEveryEpoch(Hook):
    """Random numbers depend on (seed, epoch) alone: a resumed run draws the ones an undisturbed run draws."""

    priority = "VERY_HIGH"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        torch.manual_seed(self.seed * 100_003 + runner.epoch + 1)


class EpochHistory(Hook):
    """Averages what the steps logged, keeps it in the checkpoint, steps the plateau schedule, ends training early."""

    priority = 80  # after the other schedules have stepped, before the checkpoint

    def __init__(
        self, stop_at_accuracy: float | None, tick: Callable[[int, int, Mapping[str, float]], None] | None
    ) -> None:
        self.stop_at_accuracy, self.tick = stop_at_accuracy, tick
        self.records: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._count = 0

    def before_train(self, runner: Runner) -> None:
        if "history" in runner.message_hub.runtime_info:
            self.records = list(runner.message_hub.get_info("history"))
        self._stop_if_good_enough(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        del batch_idx, data_batch
        size = len(runner.train_dataloader.dataset)
        weight = min(runner.train_dataloader.batch_size, size - self._count)
        logs = distributed.mean({name: float(value.detach()) for name, value in (outputs or {}).items()})
        for name, value in logs.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * weight
        self._count += weight
        if self.tick is not None:
            self.tick(runner.epoch * size + self._count, runner.max_epochs * size, logs)

    def after_train_epoch(self, runner: Runner) -> None:
        means = {name: total / self._count for name, total in self._sums.items()}
        lr = runner.optim_wrapper.param_groups[0]["lr"]
        self.records.append({"epoch": float(runner.epoch + 1), "lr": lr} | means)
        self._sums, self._count = {}, 0
        runner.message_hub.update_info("history", list(self.records))
        for scheduler in runner.param_schedulers or []:
            if isinstance(scheduler, ReduceOnPlateauLR):
                scheduler.step({"loss": means["loss"]})
        self._stop_if_good_enough(runner)

    def _stop_if_good_enough(self, runner: Runner) -> None:
        wanted, last = self.stop_at_accuracy, self.records[-1] if self.records else {}
        if wanted is not None and last.get("accuracy", 0.0) >= wanted:
            runner.train_loop.stop_training = True


class CheckpointEveryEpoch(Hook):
    """The last epoch's checkpoint, renamed into place when it is whole; beside it its checksum and the one before's."""

    priority = "VERY_LOW"
    FILE, SUMS = "checkpoint.pth", "checkpoint.sha256"

    @classmethod
    def found(cls, folder: Path) -> Path | None:
        """The folder's checkpoint, if its checksum is known: torch reads a file with a flipped byte without a word."""
        return distributed.on_rank_zero(lambda: cls._found(folder))

    @classmethod
    def _found(cls, folder: Path) -> Path | None:
        file, sums = folder / cls.FILE, folder / cls.SUMS
        known = file.is_file() and sums.is_file() and checksum(file) in sums.read_text().split()
        return file if known else None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Of mmengine's message hub keep the history: its buffers and NumPy numbers are not plain data."""
        del runner
        hub = checkpoint["message_hub"]
        hub["log_scalars"] = {}
        hub["runtime_info"] = {"history": hub["runtime_info"]["history"]}

    def after_train_epoch(self, runner: Runner) -> None:
        runner.save_checkpoint(runner.work_dir, self.FILE + ".partial", by_epoch=True)
        distributed.on_rank_zero(lambda: self._place(Path(runner.work_dir)))

    def _place(self, folder: Path) -> None:
        """The checksums first: whenever the process ends, that of the file in place is among them."""
        file, sums, partial = folder / self.FILE, folder / self.SUMS, folder / (self.FILE + ".partial")
        before = sums.read_text().split()[:1] if sums.is_file() else []
        listed = sums.with_suffix(".partial")
        listed.write_text("\n".join([checksum(partial), *before]))
        os.replace(listed, sums)
        os.replace(partial, file)
