"""A hook of mmengine's Runner. A config names it in full: ``dict(type="camforge.callbacks.HeatMapHook", …)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from camforge.callbacks.monitor import MapMonitor


@HOOKS.register_module()
class HeatMapHook(Hook):
    """Show maps and their numbers in every visualizer back end of the Runner: TensorBoard, W&B, local files.

    monitor   a MapMonitor, or the options of ``MapMonitor.of`` as plain values
    interval  look every so many epochs, or iterations where ``by_epoch`` is False
    name      of the picture; the numbers are ``name/metric``
    """

    priority = "LOW"

    def __init__(
        self, monitor: MapMonitor | Mapping[str, Any], interval: int = 1, by_epoch: bool = True, name: str = "maps"
    ) -> None:
        self.monitor = MapMonitor.of(**monitor) if isinstance(monitor, Mapping) else monitor
        self.interval, self.by_epoch, self.name = interval, by_epoch, name

    def after_train_epoch(self, runner: Runner) -> None:
        """mmengine's moment after an epoch."""
        if self.by_epoch and self.every_n_epochs(runner, self.interval):
            self._show(runner, runner.epoch + 1)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """mmengine's moment after an iteration."""
        del batch_idx, data_batch, outputs
        if not self.by_epoch and self.every_n_train_iters(runner, self.interval):
            self._show(runner, runner.iter + 1)

    def _show(self, runner: Runner, step: int) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        look = self.monitor.look(model)
        runner.visualizer.add_image(self.name, look.picture.permute(1, 2, 0).numpy(), step=step)
        for name, value in look.numbers.items():
            runner.visualizer.add_scalar(f"{self.name}/{name}", value, step=step)
