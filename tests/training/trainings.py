"""A small training, and what is asked of it."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from camforge.data.prepared import Prepared
from camforge.training.loop import Training
from camforge.types import View
from camforge_plugins.backbones.small import Small
from camforge_plugins.trainers.single import Single

TINY = Small(stem=4, widths=(8,), strides=(2,), blocks=("plain",))


def task(data: Prepared, folder: Path, **options: Any) -> Training:
    folder.mkdir(exist_ok=True)
    tick = options.pop("tick", None)
    view = options.pop("view", View.identity(data.dataset.classes))
    trainer = Single(backbone=TINY, **{"epochs": 3, "batch_size": 16, "lr": 0.01} | options)
    return Training(
        trainer, view, data, torch.ones(len(data), dtype=torch.bool), 0, torch.device("cpu"), folder, tick=tick
    )


def state(learner: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in learner.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""
