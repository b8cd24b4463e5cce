"""A callback of Lightning's Trainer."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from camforge.callbacks.monitor import MapMonitor
from camforge.types import CamForgeError

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError:
    raise CamForgeError("Lightning is not installed: pip install 'camforge[lightning]'") from None


class HeatMapCallback(Callback):
    """Show maps and their numbers in every logger of the Trainer; those that take no pictures get the numbers.

    monitor   a MapMonitor;  interval  look every so many epochs
    name      of the picture; the numbers are ``name/metric``, which other callbacks can watch, too
    """

    def __init__(self, monitor: MapMonitor, interval: int = 1, name: str = "maps") -> None:
        self.monitor, self.interval, self.name = monitor, interval, name

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lightning's moment after an epoch; the first process of several looks."""
        if (trainer.current_epoch + 1) % self.interval or not trainer.is_global_zero:
            return
        look = self.monitor.look(pl_module)
        pl_module.log_dict({f"{self.name}/{name}": v for name, v in look.numbers.items()}, rank_zero_only=True)
        for logger in trainer.loggers:
            _picture(logger, self.name, look.picture, trainer.global_step)


def _picture(logger: Any, name: str, picture: Tensor, step: int) -> None:
    """(3, H, W) uint8 to W&B and its like, which have ``log_image``, or to TensorBoard, whose writer has add_image."""
    if hasattr(logger, "log_image"):
        logger.log_image(key=name, images=[picture.permute(1, 2, 0).numpy()], step=step)
    elif hasattr(logger.experiment, "add_image"):
        logger.experiment.add_image(name, picture, step)
