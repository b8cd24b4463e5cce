"""A trainer's optimiser and schedules over a learner."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.optim import CosineAnnealingLR, LinearLR, PolyLR, ReduceOnPlateauLR

from camforge.interfaces import Learner, Trainer
from camforge.training.vocabulary import build_optimizer, build_scheduler
from camforge.types import Network


def optimizer_of(trainer: Trainer, learner: Learner) -> torch.optim.Optimizer:
    """Two groups of parameters: everything but the last linear layers, and these, which may have their own rate."""
    networks = [network for network in learner.networks if isinstance(network, Network)]
    heads = {id(p) for network in networks for p in network.body.get_submodule(network.head).parameters()}
    groups: list[dict[str, Any]] = [
        {"params": [p for p in learner.parameters() if id(p) not in heads]},
        {"params": [p for p in learner.parameters() if id(p) in heads]},
    ]
    if trainer.head_lr is not None:
        groups[1]["lr"] = trainer.head_lr
    return build_optimizer(trainer, groups, fused=next(learner.parameters()).is_cuda)


def schedule_of(trainer: Trainer, optimizer: torch.optim.Optimizer, steps: int) -> list[Any] | None:
    """mmengine's schedulers; each scales every group's own learning rate. ``steps`` per epoch."""
    if not isinstance(trainer.schedule, str):
        return [build_scheduler(given, optimizer, trainer.epochs, steps) for given in trainer.schedule]
    if trainer.schedule == "plateau":
        how = trainer.plateau
        return [ReduceOnPlateauLR(optimizer, "loss", "less", how.factor, how.patience, how.threshold)]
    if trainer.schedule == "poly":  # mmengine's reaches eta_min in its last epoch: here in the one after
        return [PolyLR(optimizer, eta_min=0.0, power=0.9, end=trainer.epochs + 1)]
    return _onecycle(optimizer, trainer.epochs * steps) if trainer.schedule == "onecycle" else None


def _onecycle(optimizer: torch.optim.Optimizer, steps: int) -> list[Any]:
    warm = max(1, math.ceil(0.15 * steps))
    return [
        LinearLR(optimizer, start_factor=0.04, end=warm, by_epoch=False),
        CosineAnnealingLR(optimizer, max(1, steps - warm), eta_min=0.0, begin=warm, end=steps, by_epoch=False),
    ]
