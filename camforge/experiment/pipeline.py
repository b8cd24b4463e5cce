"""group -> train -> extract -> fuse -> measure, arm by arm, every finished stage kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from camforge.experiment.controls import CONTROLS
from camforge.experiment.extraction import Order, extract, found, load
from camforge.experiment.failure import Failure
from camforge.experiment.fusion import Stacker
from camforge.experiment.grouping import group
from camforge.experiment.measure import NOTHING, Measured, measure
from camforge.experiment.progress import Progress
from camforge.experiment.schema import Arm, Experiment
from camforge.experiment.store import digest
from camforge.experiment.workshop import ArmWorkshop, Bench, recipe_of
from camforge.interfaces import Split
from camforge.training.images import Geometry, Prepared, prepare
from camforge.types import Batch, CamForgeError, Grouping, Maps, TrainedModel

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Row:
    """One arm, or one control, after all its stages. ``stacker`` is None for a control; with a ``failure``, all is."""

    name: str
    measured: Measured = NOTHING
    arm: Arm | None = None
    grouping: Grouping | None = None
    models: tuple[TrainedModel, ...] = ()
    stacker: Stacker | None = None
    keys: Mapping[str, Any] | None = None
    failure: Failure | None = None


@dataclass(frozen=True, eq=False)
class Prospect:
    """An arm whose networks are trained and whose maps are ordered."""

    name: str
    arm: Arm
    grouping: Grouping
    grouping_key: str
    models: tuple[TrainedModel, ...]
    orders: tuple[Order, ...]


def prepare_split(experiment: Experiment, split: Split, progress: Progress) -> Prepared:
    """One split, decoded into the network's geometry. Every class must have training images."""
    settings = experiment.images
    size = settings.train_size or settings.size if split == "train" else settings.size
    geometry = Geometry(size, settings.fit, settings.mean, settings.std)
    images = experiment.dataset.open(split)
    with progress.task(f"read {len(images)} {split} images") as tick:
        return prepare(images, geometry, every_class=split == "train", tick=tick)


def run_arms(experiment: Experiment, bench: Bench, val: Prepared) -> list[Row]:
    """Every arm and control of the experiment, in order; one that fails ends early, and its row says why.

    Raises CamForgeError where no arm is left.
    """
    _check_groupers(experiment, bench.train)
    failures: dict[str, Failure] = {}

    def attempt(name: str, step: Callable[[], T]) -> T | None:
        try:
            return step()
        except Exception as error:
            failures[name] = Failure.of(error)
            bench.progress.say(f"arm {name!r} ended: {error}")
            return None

    trained = [attempt(name, partial(_train, name, arm, bench)) for name, arm in experiment.arms.items()]
    prospects = {p.name: p for p in trained if p is not None}
    entries = extract([order for p in prospects.values() for order in p.orders], bench, val, experiment.batch_size)
    rows = {
        name: attempt(name, partial(_measure, prospect, entries, experiment, bench, val))
        for name, prospect in prospects.items()
    }
    if experiment.arms.keys() == failures.keys():
        raise CamForgeError("\n".join(f"arm {name!r}: {failure.reason}" for name, failure in failures.items()))
    for name in CONTROLS if experiment.controls else ():
        rows[name] = attempt(name, partial(_control, name, experiment, bench, val))
    names = [*experiment.arms, *(CONTROLS if experiment.controls else ())]
    return [rows.get(name) or Row(name, failure=failures[name]) for name in names]


def _check_groupers(experiment: Experiment, train: Prepared) -> None:
    """All that groupers know cannot work with these classes, before anything is trained."""
    problems = [
        f"arms.{name}.grouper ({arm.grouper.name}): {problem}"
        for name, arm in experiment.arms.items()
        for problem in arm.grouper.check(train.images.classes, train.labels)
    ]
    if problems:
        raise CamForgeError("\n".join(problems))


def _train(name: str, arm: Arm, bench: Bench) -> Prospect:
    grouping, key = group(arm, bench)
    workshop = ArmWorkshop(bench, arm.trainer)
    models = tuple(workshop.train(view) for view in grouping.views)
    orders = tuple(Order(model, arm.extractor, arm.targets) for model in models)
    return Prospect(name, arm, grouping, key, models, orders)


def _measure(
    p: Prospect, entries: Mapping[str, Path | Exception], experiment: Experiment, bench: Bench, val: Prepared
) -> Row:
    keys = [digest(order.recipe(bench, val)) for order in p.orders]
    extracted = [load(found(entries[key])) for key in keys]
    stacker = Stacker(p.name, p.arm, p.grouping, extracted)
    classes = next((e.logits for e, m in zip(extracted, p.models, strict=True) if m.view.level == 0), None)
    recipe = {"extracted": keys, "fusers": [recipe_of(f) for f in p.arm.fusers], "grouping": p.grouping_key}

    def source(places: list[int], batch: Batch) -> tuple[Maps, Tensor | None]:
        maps = stacker.fused(places, batch.labels, batch.images)
        known = classes is not None and classes.shape[1] == batch.labels.shape[1]
        return maps, classes[places].to(batch.labels.device) if classes is not None and known else None

    measured = measure(p.name, recipe, source, experiment.metrics, bench, val, experiment.batch_size)
    stages = {"grouping": p.grouping_key, "networks": [m.key for m in p.models], "maps": keys}
    return Row(p.name, measured, p.arm, p.grouping, p.models, stacker, stages)


def _control(name: str, experiment: Experiment, bench: Bench, val: Prepared) -> Row:
    def source(_places: list[int], batch: Batch) -> tuple[Maps, None]:
        images, classes = batch.labels.nonzero(as_tuple=True)
        pattern = CONTROLS[name](*batch.images.shape[-2:]).to(batch.images.device)
        nothing = torch.zeros(len(images), 0, dtype=torch.int64, device=images.device)
        maps = pattern.expand(len(images), *pattern.shape)
        return Maps(maps, (), images, classes, nothing.bool(), nothing, batch.labels), None

    recipe = {"control": name}
    return Row(name, measure(name, recipe, source, experiment.metrics, bench, val, experiment.batch_size))
