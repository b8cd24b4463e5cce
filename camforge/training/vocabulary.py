"""Optimisers, schedulers and hooks: the trainer's own words, and whatever mmengine has registered by ``type``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import signature
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmengine.registry import HOOKS, OPTIMIZERS, PARAM_SCHEDULERS, Registry

from camforge.host.errors import message_of
from camforge.interfaces import Trainer
from camforge.interfaces.base import choices
from camforge.types import CamForgeError

Path = tuple[str | int, ...]
OPTIMISERS: dict[str, dict[str, Any]] = {
    "adam": {"type": "Adam"},
    "adamw": {"type": "AdamW"},
    "sgd": {"type": "SGD", "momentum": 0.9, "nesterov": True},
}


def mistakes(trainer: Trainer) -> Iterator[tuple[Path, str, Any]]:
    """What is not registered under its ``type``, or refuses its options: where, why, and what was given."""
    wrong = list(_tried(("optimizer",), trainer.optimizer, lambda: build_optimizer(trainer, _groups())))
    yield from wrong
    if not isinstance(trainer.schedule, str):
        scheduled = trainer.model_copy(update={"optimizer": "sgd"}) if wrong else trainer
        for place, given in enumerate(trainer.schedule):
            make = partial(build_scheduler, given, build_optimizer(scheduled, _groups()), trainer.epochs, steps=2)
            yield from _tried(("schedule", place), given, make)
    for place, given in enumerate(trainer.hooks):
        yield from _tried(("hooks", place), given, partial(build_hook, given))


def _tried(path: Path, given: Any, make: Callable[[], Any]) -> Iterator[tuple[Path, str, Any]]:
    try:
        make()
    except Exception as error:  # whatever a registered class raises at its options
        yield path, message_of(error), given


def _groups() -> list[dict[str, Any]]:
    return [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]


def require_known(trainer: Trainer) -> None:
    """Raises CamForgeError for the first mistake."""
    for path, problem, given in mistakes(trainer):
        raise CamForgeError(f"trainer {trainer.name!r}: {'.'.join(map(str, path))}: {problem} (given: {given!r})")


def build_optimizer(trainer: Trainer, groups: list[dict[str, Any]], fused: bool = False) -> torch.optim.Optimizer:
    """The trainer's optimiser over groups of parameters; its fused form where it has one and ``fused``."""
    given = OPTIMISERS[trainer.optimizer] if isinstance(trainer.optimizer, str) else trainer.optimizer
    maker, options = _registered(OPTIMIZERS, given, torch.optim.Optimizer)
    common = {"lr": trainer.lr, "weight_decay": trainer.weight_decay} | ({"fused": True} if fused else {})
    known = signature(maker).parameters
    built: torch.optim.Optimizer = maker(groups, **{k: v for k, v in common.items() if k in known} | options)
    return built


def build_scheduler(given: Mapping[str, Any], optimizer: torch.optim.Optimizer, epochs: int, steps: int) -> Any:
    """One of mmengine's schedulers, that acts until the end of the training unless it says so; ``steps`` per epoch."""
    maker, options = _registered(PARAM_SCHEDULERS, given, _ParamScheduler)
    end = epochs if options.get("by_epoch", True) else epochs * steps
    default = {"optimizer": optimizer, "epoch_length": steps}
    return PARAM_SCHEDULERS.build({"end": end} | options | {"type": maker}, default_args=default)


def build_hook(given: Mapping[str, Any]) -> Hook:
    """One of mmengine's hooks, at the ``priority`` that it gives. Raises ValueError for one that would never act."""
    maker, options = _registered(HOOKS, given, Hook)
    priority = options.pop("priority", maker.priority)
    hook: Hook = maker(**options)
    hook.priority = priority
    if isinstance(hook, EMAHook):  # it would look at its options no sooner than when the training starts
        hook.before_run(SimpleNamespace(model=torch.nn.Linear(1, 1)))
    stages = " ".join(hook.get_triggered_stages())
    if ("val" in stages or "test" in stages) and not ("train" in stages or "checkpoint" in stages):
        raise ValueError(f"{given['type']} acts on a validation or test loop, and a training here has neither")
    return hook


def _registered(registry: Registry, given: Mapping[str, Any], base: type) -> tuple[Any, dict[str, Any]]:
    """The class and its options. By the registered name alone: a dotted path would call whatever can be imported."""
    kind, known = given["type"], registry.module_dict
    names = [name for name, found in known.items() if isinstance(found, type) and issubclass(found, base)]
    if kind not in names:
        raise ValueError(f"mmengine has no {kind!r}; {choices(kind, names)}")
    return known[kind], {name: value for name, value in given.items() if name != "type"}
