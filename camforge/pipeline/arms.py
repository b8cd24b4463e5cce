"""group -> train -> extract -> fuse -> measure, arm by arm, every finished stage kept."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from camforge.config.schema import Arm
from camforge.data.prepared import Prepared
from camforge.host.failure import Failure, disk_fault
from camforge.interfaces import Metric
from camforge.measuring.explained import Explained, Networks, branches_mean
from camforge.pipeline.controls import CONTROLS, ControlMaps, control_maps
from camforge.pipeline.diagnostics import DegenerateMaps, degenerate_maps, recovered
from camforge.pipeline.extract import MapRequest, extract, unwrap_or_raise
from camforge.pipeline.fuse import ArmMaps, FusedMaps, MapFuser, SplitMaps
from camforge.pipeline.group import group
from camforge.pipeline.measure import Measurement, calibrate_metrics, measure
from camforge.pipeline.requirements import lacking
from camforge.pipeline.session import Session, recipe_of
from camforge.pipeline.train import ArmContext
from camforge.store.store import digest
from camforge.store.stored_maps import load_maps
from camforge.training import distributed
from camforge.types import CamForgeError, Grouping, TrainedModel, View

T = TypeVar("T")
Entries = Mapping[str, Path | Exception]


@dataclass(frozen=True, eq=False)
class TrainedArm:
    """An arm whose networks are trained, and what it asks of them."""

    name: str
    arm: Arm
    grouping: Grouping
    grouping_key: str
    models: tuple[TrainedModel, ...]
    requests: tuple[MapRequest, ...]

    @property
    def plain(self) -> int | None:
        """The place of the ungrouped view: one output per class, in their order."""
        return next((place for place, model in enumerate(self.models) if _is_plain(model.view)), None)

    @property
    def model(self) -> Explained | None:
        """What metrics may ask, where there is an ungrouped view."""
        if self.plain is None:
            return None
        networks = [model.networks for model in self.models]
        explain, classes = ArmMaps(self.name, self.arm, self.grouping), len(self.models[self.plain].view.outputs)
        return Explained(networks, partial(_logits, self.plain), explain, classes, self.plain)

    @property
    def plain_key(self) -> str:
        """The store's key of the ungrouped view's networks, "" where there is none."""
        return "" if self.plain is None else self.models[self.plain].key


@dataclass(frozen=True, eq=False)
class ArmResult:
    """One arm after all its stages. ``keys``: its stages' keys in the store."""

    name: str
    measurement: Measurement
    trained: TrainedArm
    maps: FusedMaps
    keys: Mapping[str, Any]
    degenerate: DegenerateMaps | None


@dataclass(frozen=True, eq=False)
class ControlResult:
    """One control, measured."""

    name: str
    measurement: Measurement
    maps: ControlMaps


@dataclass(frozen=True)
class FailedArm:
    """An arm, or a control, that ended early, and why."""

    name: str
    failure: Failure


Result = ArmResult | ControlResult | FailedArm


def run_arms(session: Session, metrics: Sequence[Metric], failed: Mapping[str, Failure]) -> list[Result]:
    """Every arm and control of the experiment, in order; one that fails ends early, and its result says why.

    metrics  those that the data can serve;  failed  arms that ended before, in workers
    Raises CamForgeError where no arm is left, and what a full or read-only disk raises.
    """
    experiment, failures = session.experiment, dict(failed)

    def attempt(name: str, step: Callable[[], T]) -> T | None:
        try:
            return step()
        except Exception as error:
            if distributed.size() > 1 or disk_fault(error):
                raise  # other processes may know nothing of it: the launcher ends them; a full disk ends every arm
            failures[name] = Failure.from_exception(error)
            session.progress.say(f"arm {name!r} ended: {failures[name].reason}")
            return None

    trained = _train_arms(session, failures, attempt)
    entries = extract_arms(list(trained.values()), session)
    results: dict[str, Result | None] = {
        name: attempt(name, partial(_measure_arm, arm, entries, metrics, session))
        for name, arm in session.progress.track("measure", trained.items())
    }
    if experiment.arms.keys() == failures.keys():
        raise CamForgeError("\n".join(f"arm {name!r}: {failure.reason}" for name, failure in failures.items()))
    asked = next((arm for arm in trained.values() if arm.plain is not None), None)
    controls = tuple(CONTROLS) if experiment.controls else ()
    for name in controls:
        results[name] = attempt(name, partial(_measure_control, name, metrics, session, asked))
    return [results.get(name) or FailedArm(name, failures[name]) for name in (*experiment.arms, *controls)]


def _train_arms(
    session: Session, failures: Mapping[str, Failure], attempt: Callable[..., TrainedArm | None]
) -> dict[str, TrainedArm]:
    """The arms that could be trained, in order. Those that share all their networks count as one for the time left."""
    trained: dict[str, TrainedArm] = {}
    for names in session.progress.track("train", sharing_networks(session, failures)):
        with session.progress.spent_on(names):
            found = {name: attempt(name, partial(train_arm, name, session)) for name in names}
        trained |= {name: arm for name, arm in found.items() if arm is not None}
    return {name: trained[name] for name in session.experiment.arms if name in trained}


def sharing_networks(session: Session, failures: Container[str]) -> list[list[str]]:
    """The arms that did not fail, those together whose networks are the same."""
    shared: dict[str, list[str]] = {}
    for name, arm in session.experiment.arms.items():
        if name not in failures:
            shared.setdefault(digest([recipe_of(arm.grouper), recipe_of(arm.trainer)]), []).append(name)
    return list(shared.values())


def train_arm(name: str, session: Session) -> TrainedArm:
    """The arm's networks, from the store or trained now."""
    arm = session.experiment.arms[name]
    grouping, key = group(arm, session)
    context = ArmContext(session, arm.trainer)
    models = tuple(context.train(view) for view in grouping.views)
    autocast = session.experiment.extraction.autocast
    requests = tuple(MapRequest(model, arm.extractor, arm.targets, autocast) for model in models)
    return TrainedArm(name, arm, grouping, key, models, requests)


def extract_arms(trained: Sequence[TrainedArm], session: Session) -> Entries:
    """The arms' maps of the validation images, and of the training images where metrics ask for them."""
    requests = [request for arm in trained for request in arm.requests]
    entries: dict[str, Path | Exception] = {}
    spent = session.progress.spent
    for split in (session.val, session.calibration or session.second_split):
        if split is not None:
            entries |= extract(requests, session, split)
            for arm in trained:
                passes = {digest(request.recipe(split)) for request in arm.requests}
                spent[arm.name] = spent.get(arm.name, 0.0) + sum(spent.get(key, 0.0) for key in passes)
    return entries


def _measure_arm(trained: TrainedArm, entries: Entries, metrics: Sequence[Metric], session: Session) -> ArmResult:
    """The arm's numbers on the validation images."""
    with session.progress.spent_on([trained.name]):
        return _measured_arm(trained, entries, metrics, session)


def _measured_arm(trained: TrainedArm, entries: Entries, metrics: Sequence[Metric], session: Session) -> ArmResult:
    maps = fused_maps(trained, entries, session.val, session)
    measurement = _measure(maps, lambda split: fused_maps(trained, entries, split, session), metrics, session)
    dataset = session.train.dataset
    known = recovered(trained.grouping, dataset.taxonomy, dataset.classes)
    measurement = replace(measurement, metrics={**measurement.metrics, **known})
    networks = [model.key for model in trained.models]
    keys = {"grouping": trained.grouping_key, "networks": networks, "maps": maps.recipe["extracted"]}
    ids = [maps.split.dataset.ids[i] for i in maps.split.indices.tolist()]
    degenerate = degenerate_maps(maps.fuser.stored, trained.grouping.views, ids)
    return ArmResult(trained.name, measurement, trained, maps, keys, degenerate)


def fused_maps(trained: TrainedArm, entries: Entries, split: Prepared, session: Session) -> FusedMaps:
    """One split with the arm's fused maps."""
    keys = [digest(request.recipe(split)) for request in trained.requests]
    stored = [load_maps(unwrap_or_raise(entries[key])) for key in keys]
    fuser = MapFuser(trained.name, trained.arm.extractor, trained.arm.fusers, trained.grouping, stored)
    logits = None if trained.plain is None else stored[trained.plain].mean_logits
    recipe = {
        "extracted": keys, "fusers": [recipe_of(f) for f in trained.arm.fusers], "grouping": trained.grouping_key
    }  # fmt: skip
    label = trained.name if split is session.val else f"{trained.name} on training images"
    return FusedMaps(label, recipe, split, fuser, logits, trained.model)


def _measure_control(name: str, metrics: Sequence[Metric], session: Session, asked: TrainedArm | None) -> ControlResult:
    """A control's numbers; metrics that ask a network ask that of the first arm that has one of all classes."""
    model, network = (None, "") if asked is None else (asked.model, asked.plain_key)
    maps = control_maps(name, session.val, model, network)
    with session.progress.spent_on([name]):
        measurement = _measure(maps, lambda split: control_maps(name, split, model, network), metrics, session)
    return ControlResult(name, measurement, maps)


def _measure(
    maps: SplitMaps, maps_of: Callable[[Prepared], SplitMaps], metrics: Sequence[Metric], session: Session
) -> Measurement:
    """The numbers of ``maps``, and of the second split where it is asked for; what a metric lacks there has none.

    What metrics choose by training images, they choose first.
    """
    unchosen: dict[str, str] = {}
    if session.calibration is not None:
        metrics, unchosen = calibrate_metrics(maps_of(session.calibration), metrics, session)
    measurement = measure(maps, metrics, session, unchosen)
    second = session.second_split
    if second is None:
        return measurement
    served = [metric for metric in metrics if not lacking(metric, second) and metric.name not in unchosen]
    return measurement.joined(measure(maps_of(second), served, session), "train") if served else measurement


def _is_plain(view: View) -> bool:
    return view.level == 0 and view.assignment == tuple(range(len(view.outputs)))


def _logits(plain: int, networks: Networks, images: Tensor) -> Tensor:
    return branches_mean(networks[plain], images)
