"""From the results of arms and controls to what the report shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from camforge.data.prepared import Prepared
from camforge.pipeline.arms import ArmResult, ControlResult, FailedArm, Result
from camforge.pipeline.controls import CONTROLS
from camforge.pipeline.fuse import MapFuser, SplitMaps
from camforge.pipeline.measure import at_split
from camforge.pipeline.session import Session
from camforge.report.data import ArmReport, ClassMaps, GalleryImage, ReportData, TrainingCurve, ViewReport
from camforge.types import Batch, Maps, View


def build_report_data(
    session: Session, results: Sequence[Result], manifest: Mapping[str, Any], left_out: Mapping[str, str],
    notes: Sequence[str],
) -> ReportData:  # fmt: skip
    """Everything the report shows.

    left_out  {metric: what it needs and the data lacks};  notes  what a reader must know of the data
    """
    experiment, val = session.experiment, session.val
    lower = _on_both_splits(name for metric in experiment.metrics for name in metric.lower_is_better)
    undirected = _on_both_splits(name for metric in experiment.metrics for name in metric.undirected)
    chosen = {name: number for metric in experiment.metrics for name, number in metric.thresholds.items()}
    chosen |= {at_split(name, "train"): at_split(number, "train") for name, number in chosen.items()}
    spent = session.progress.spent
    skipped = {"train": session.train.skipped, "val": val.skipped}
    return ReportData(
        title=experiment.name,
        about=experiment.about,
        recipe=manifest,
        classes=val.dataset.classes,
        arms=tuple(
            replace(
                _arm(result, lower, val.dataset.classes),
                thresholds=chosen,
                undirected=undirected,
                seconds=spent.get(result.name),
            )
            for result in results
        ),
        gallery=_gallery(results, val, experiment.report.images),
        skipped=tuple(f"{split}: {reason}" for split, images in skipped.items() for reason in images.values()),
        left_out=left_out,
        notes=tuple(notes),
        by_metric={k: v for r in results if not isinstance(r, FailedArm) for k, v in r.measurement.by_metric.items()},
    )


def _on_both_splits(names: Iterable[str]) -> frozenset[str]:
    given = frozenset(names)
    return given | {at_split(name, "train") for name in given}


def _arm(result: Result, lower: frozenset[str], classes: tuple[str, ...]) -> ArmReport:
    if isinstance(result, FailedArm):
        return ArmReport(result.name, {}, control=result.name in CONTROLS, failure=result.failure.reason)
    numbers = result.measurement
    remarks = [f"no {name}: {reason}" for name, reason in numbers.missing.items()]
    if isinstance(result, ControlResult):
        remark = "; ".join(remarks)
        return ArmReport(result.name, numbers.metrics, lower, control=True, plots=numbers.curves, remark=remark)
    trained = result.trained
    remarks += [] if result.degenerate is None else [str(result.degenerate)]
    return ArmReport(
        result.name, numbers.metrics, lower, trained.arm.note,
        spec=trained.arm.model_dump(mode="json", exclude={"note"}),
        views=tuple(_view(view, classes) for view in trained.grouping.views),
        diagnostics=trained.grouping.diagnostics,
        curves=tuple(TrainingCurve(model.view.name, model.history) for model in trained.models),
        plots=numbers.curves, remark="; ".join(remarks),
    )  # fmt: skip


def _view(view: View, classes: tuple[str, ...]) -> ViewReport:
    members = (view.members(output) for output in range(len(view.outputs)))
    return ViewReport(view.name, tuple(tuple(classes[c] for c in group) for group in members), view.level)


def _gallery(results: Sequence[Result], val: Prepared, count: int) -> tuple[GalleryImage, ...]:
    """Images that show a class, spread evenly over the split, with every row's map of each class they show."""
    shown = val.labels.any(1).nonzero().flatten()
    count = min(count, len(shown))
    if count == 0:
        return ()
    places = shown[torch.linspace(0, len(shown) - 1, count).round().long().unique()]
    sound = [result for result in results if not isinstance(result, FailedArm)]
    return tuple(_picture(place, sound, val) for place in places.tolist())


def _picture(place: int, results: Sequence[ArmResult | ControlResult], val: Prepared) -> GalleryImage:
    batch = val.batch([place], torch.device("cpu"))
    maps = {result.name: _class_maps(result.maps, place, batch) for result in results}
    sample = val.sample(place)
    before = {
        result.name: _before_fusion(result.maps.fuser, place, batch)
        for result in results
        if isinstance(result, ArmResult)
    }
    return GalleryImage(
        sample.id, sample.image, sample.labels, maps, sample.mask, sample.boxes, sample.box_classes, before
    )


def _class_maps(maps: SplitMaps, place: int, batch: Batch) -> ClassMaps:
    shown = maps.metric_input([place], batch)
    return {int(c): values for c, values in zip(shown.classes, shown.maps, strict=True)}


def _before_fusion(fuser: MapFuser, place: int, batch: Batch) -> dict[str, ClassMaps]:
    """Where there are several: the map of every view and branch, layers summed, and of every layer, their mean."""
    height, width = batch.images.shape[-2:]
    stack = fuser.stack([place], batch.labels, batch.labels, (height, width))
    parts: dict[str, dict[int, Tensor]] = {}
    for pair, c in enumerate(stack.classes.tolist()):
        for slot, v in enumerate(fuser.grouping.views_of(c)):
            for branch, layers in enumerate(stack.values[pair, slot]):
                name = fuser.grouping.views[v].name + (f", branch {branch + 1}" if stack.values.shape[2] > 1 else "")
                parts.setdefault(name, {})[c] = layers.sum(0)
    return (parts if len(parts) > 1 else {}) | _layers(fuser, stack)


def _layers(fuser: MapFuser, stack: Maps) -> dict[str, ClassMaps]:
    """The map of every stage or named layer that is still apart, the mean over views and branches."""
    parts: dict[str, ClassMaps] = {}
    read = getattr(fuser.extractor, "layers", "stages")
    for layer in range(stack.values.shape[3]) if stack.values.shape[3] > 1 else ():
        name = f"stage {layer + 1}" if isinstance(read, str) else str(read[layer])
        parts[name] = {
            c: stack.values[pair, : len(fuser.grouping.views_of(c)), :, layer].mean((0, 1))
            for pair, c in enumerate(stack.classes.tolist())
        }
    return parts
