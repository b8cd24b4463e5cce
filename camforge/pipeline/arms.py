"""group -> train -> extract -> fuse -> measure, arm by arm, every finished stage kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from camforge.config.schema import Arm, Experiment
from camforge.data.geometry import Geometry
from camforge.data.inspection import opened
from camforge.data.prepared import Prepared, prepare
from camforge.interfaces import Split
from camforge.pipeline.controls import CONTROLS
from camforge.pipeline.diagnostics import DegenerateMaps, degenerate_maps
from camforge.pipeline.extract import MapRequest, extract, load, unwrap_or_raise
from camforge.pipeline.failure import Failure, disk_fault
from camforge.pipeline.families import recovered
from camforge.pipeline.fuse import MapFuser
from camforge.pipeline.group import group
from camforge.pipeline.measure import NOTHING, FusedMaps, Measured, calibrate_metrics, measure
from camforge.pipeline.session import ArmContext, Session, recipe_of
from camforge.progress.progress import Progress
from camforge.store.store import digest
from camforge.training import distributed
from camforge.types import Batch, CamForgeError, Grouping, MetricInput, Network, TrainedModel, View

T = TypeVar("T")
Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Row:
    """One arm, or one control, after all its stages. ``stacker`` is None for a control; with a ``failure``, all is."""

    name: str
    measured: Measured = NOTHING
    arm: Arm | None = None
    grouping: Grouping | None = None
    models: tuple[TrainedModel, ...] = ()
    map_fuser: MapFuser | None = None
    keys: Mapping[str, Any] | None = None
    degenerate: DegenerateMaps | None = None
    failure: Failure | None = None


@dataclass(frozen=True, eq=False)
class TrainedArm:
    """An arm whose networks are trained and whose maps are ordered."""

    name: str
    arm: Arm
    grouping: Grouping
    grouping_key: str
    models: tuple[TrainedModel, ...]
    requests: tuple[MapRequest, ...]


def calibration_split(experiment: Experiment, train: Prepared, val: Prepared, progress: Progress) -> Prepared | None:
    """The training images in the validation's geometry, where a metric chooses something by them."""
    if not any(metric.needs_calibration for metric in experiment.metrics):
        return None
    if train.geometry == val.geometry:
        return train
    with progress.task(f"read {len(train.images)} training images for the metrics") as tick:
        return prepare(train.images, val.geometry, every_class=False, tick=tick)


def prepare_split(experiment: Experiment, split: Split, progress: Progress) -> Prepared:
    """One split, decoded into the network's geometry. Every class must have training images."""
    settings = experiment.images
    size = settings.train_size or settings.size if split == "train" else settings.size
    geometry = Geometry(size, settings.fit, settings.mean, settings.std)
    images = opened(experiment.dataset, split)
    with progress.task(f"read {len(images)} {split} images") as tick:
        return prepare(images, geometry, every_class=split == "train", tick=tick)


@dataclass(frozen=True, eq=False)
class Splits:
    """What an experiment measures on, and what metrics tune on (None where none does), in one geometry."""

    session: Session
    val: Prepared
    calibration: Prepared | None = None


def run_arms(experiment: Experiment, splits: Splits, failed: Mapping[str, Failure]) -> list[Row]:
    """Every arm and control of the experiment, in order; one that fails ends early, and its row says why.

    failed  arms that ended before, in workers
    Raises CamForgeError where no arm is left, and what a full or read-only disk raises.
    """
    session, failures = splits.session, dict(failed)

    def attempt(name: str, step: Callable[[], T]) -> T | None:
        try:
            return step()
        except Exception as error:
            if distributed.size() > 1 or disk_fault(error):
                raise  # the other processes may know nothing of it: the launcher ends them; no arm escapes a full disk
            failures[name] = Failure.from_exception(error)
            session.progress.say(f"arm {name!r} ended: {error}")
            return None

    left = [(name, arm) for name, arm in experiment.arms.items() if name not in failures]
    each = session.progress.track
    trained = [attempt(name, partial(train_arm, name, arm, session)) for name, arm in each("train", left)]
    trained_arms = {p.name: p for p in trained if p is not None}
    requests = [request for p in trained_arms.values() for request in p.requests]
    entries = extract(requests, session, splits.val, experiment.batch_size)
    if splits.calibration is not None:
        entries |= extract(requests, session, splits.calibration, experiment.batch_size)
    rows = {
        name: attempt(name, partial(_measure, trained_arm, entries, experiment, splits))
        for name, trained_arm in each("measure", trained_arms.items())
    }
    if experiment.arms.keys() == failures.keys():
        raise CamForgeError("\n".join(f"arm {name!r}: {failure.reason}" for name, failure in failures.items()))
    score = next((_score_of(p) for p in trained_arms.values() if _score_of(p) is not None), None)
    for name in CONTROLS if experiment.controls else ():
        rows[name] = attempt(name, partial(_control, name, experiment, splits, score))
    names = [*experiment.arms, *(CONTROLS if experiment.controls else ())]
    return [rows.get(name) or Row(name, failure=failures[name]) for name in names]


def check_groupers(experiment: Experiment, train: Prepared) -> None:
    """All that groupers know cannot work with these classes, before anything is trained."""
    problems = [
        f"arms.{name}.grouper ({arm.grouper.name}): {problem}"
        for name, arm in experiment.arms.items()
        for problem in arm.grouper.check(train.images.classes, train.labels)
    ]
    if problems:
        raise CamForgeError("\n".join(problems))


def train_arm(name: str, arm: Arm, session: Session) -> TrainedArm:
    """The arm's networks, from the store or trained now."""
    grouping, key = group(arm, session)
    context = ArmContext(session, arm.trainer)
    models = tuple(context.train(view) for view in grouping.views)
    requests = tuple(MapRequest(model, arm.extractor, arm.targets) for model in models)
    return TrainedArm(name, arm, grouping, key, models, requests)


def _measure(p: TrainedArm, entries: Mapping[str, Path | Exception], experiment: Experiment, splits: Splits) -> Row:
    """The arm's numbers on the validation images; what metrics choose by training images, they choose first."""
    session, size = splits.session, experiment.batch_size
    seen, map_fuser = fused_maps(p, entries, splits.val, session)
    metrics = list(experiment.metrics)
    if splits.calibration is not None:
        metrics = calibrate_metrics(fused_maps(p, entries, splits.calibration, session)[0], metrics, session, size)
    measured = measure(seen, metrics, session, size)
    known = recovered(p.grouping, session.train.images.taxonomy, session.train.images.classes)
    measured = replace(measured, metrics={**measured.metrics, **known})
    stages = {"grouping": p.grouping_key, "networks": [m.key for m in p.models], "maps": seen.recipe["extracted"]}
    ids = [splits.val.images.ids[i] for i in splits.val.indices.tolist()]
    degenerate = degenerate_maps(map_fuser.extracted, p.grouping.views, ids)
    return Row(p.name, measured, p.arm, p.grouping, p.models, map_fuser, stages, degenerate)


def fused_maps(
    p: TrainedArm, entries: Mapping[str, Path | Exception], images: Prepared, session: Session
) -> tuple[FusedMaps, MapFuser]:
    """One split with the arm's fused maps, and what fuses them."""
    keys = [digest(request.recipe(session, images)) for request in p.requests]
    extracted = [load(unwrap_or_raise(entries[key])) for key in keys]
    map_fuser = MapFuser(p.name, p.arm, p.grouping, extracted)
    plain = next((place for place, model in enumerate(p.models) if _is_plain(model.view)), None)
    score = _score_of(p)

    def source(places: list[int], batch: Batch) -> MetricInput:
        maps = map_fuser.fused(places, batch.labels, batch.images)
        logits = None if plain is None else extracted[plain].logits[places].to(batch.labels.device)
        return MetricInput(batch, maps.values, maps.images, maps.classes, logits, score)

    recipe = {"extracted": keys, "fusers": [recipe_of(f) for f in p.arm.fusers], "grouping": p.grouping_key}
    label = p.name if images is not session.train else f"{p.name} on training images"
    return FusedMaps(label, recipe, source, images), map_fuser


def _score_of(p: TrainedArm) -> Score | None:
    """The logits of the arm's ungrouped network, as a function of images."""
    plain = next((model for model in p.models if _is_plain(model.view)), None)
    return None if plain is None else partial(_score, plain.networks)


def _is_plain(view: View) -> bool:
    """One output per class, in their order."""
    return view.level == 0 and view.assignment == tuple(range(len(view.outputs)))


def _score(networks: Sequence[Network], images: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, C) logits, the mean over the branches."""
    with torch.no_grad():
        return torch.stack([network(images).float() for network in networks]).mean(0)


def _control(name: str, experiment: Experiment, splits: Splits, score: Score | None) -> Row:
    """A control's numbers; metrics that ask a network ask that of the first arm that has one."""

    def source(_places: list[int], batch: Batch) -> MetricInput:
        images, classes = batch.labels.nonzero(as_tuple=True)
        pattern = CONTROLS[name](*batch.images.shape[-2:]).to(batch.images.device)
        return MetricInput(batch, pattern.expand(len(images), *pattern.shape), images, classes, None, score)

    session, size = splits.session, experiment.batch_size
    recipe = {"control": name}
    metrics = list(experiment.metrics)
    if splits.calibration is not None:
        metrics = calibrate_metrics(
            FusedMaps(f"{name} on training images", recipe, source, splits.calibration), metrics, session, size
        )
    return Row(name, measure(FusedMaps(name, recipe, source, splits.val), metrics, session, size))
