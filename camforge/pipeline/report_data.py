"""From the results of arms and controls to what the report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from camforge.config.schema import Experiment
from camforge.data.prepared import Prepared
from camforge.pipeline.arms import Row
from camforge.pipeline.controls import CONTROLS
from camforge.pipeline.fuse import MapFuser
from camforge.pipeline.session import Session
from camforge.report.data import ArmReport, ClassMaps, GalleryImage, ReportData, TrainingCurve, ViewReport
from camforge.types import View


def build_report_data(
    experiment: Experiment, rows: Sequence[Row], session: Session, val: Prepared, manifest: Mapping[str, Any]
) -> ReportData:
    """Everything the report shows."""
    lower = frozenset(name for metric in experiment.metrics for name in metric.lower_is_better)
    skipped = {"train": session.train.skipped, "val": val.skipped}
    return ReportData(
        title=experiment.name,
        about=experiment.about,
        recipe=manifest,
        classes=val.images.classes,
        arms=tuple(_arm(row, lower, val.images.classes) for row in rows),
        gallery=_gallery([row for row in rows if row.failure is None], val, experiment.report.images),
        skipped=tuple(f"{split}: {reason}" for split, images in skipped.items() for reason in images.values()),
    )


def _arm(row: Row, lower: frozenset[str], classes: tuple[str, ...]) -> ArmReport:
    if row.failure is not None:
        return ArmReport(row.name, {}, control=row.name in CONTROLS, failure=row.failure.reason)
    if row.arm is None or row.grouping is None:
        return ArmReport(row.name, row.measured.metrics, lower, control=True, plots=row.measured.curves)
    views = tuple(_view(view, classes) for view in row.grouping.views)
    curves = tuple(TrainingCurve(model.view.name, model.history) for model in row.models)
    spec = row.arm.model_dump(mode="json", exclude={"note"})
    return ArmReport(
        row.name, row.measured.metrics, lower, row.arm.note, spec, views, row.grouping.diagnostics, curves,
        plots=row.measured.curves, remark="" if row.degenerate is None else str(row.degenerate),
    )  # fmt: skip


def _view(view: View, classes: tuple[str, ...]) -> ViewReport:
    members = (view.members(output) for output in range(len(view.outputs)))
    return ViewReport(view.name, tuple(tuple(classes[c] for c in group) for group in members), view.level)


def _gallery(rows: Sequence[Row], val: Prepared, count: int) -> tuple[GalleryImage, ...]:
    """Images that show a class, spread evenly over the split, with every row's fused map of each class they show."""
    shown = val.labels.any(1).nonzero().flatten()
    count = min(count, len(shown))
    if count == 0:
        return ()
    places = shown[torch.linspace(0, len(shown) - 1, count).round().long().unique()]
    return tuple(_picture(place, rows, val) for place in places.tolist())


def _picture(place: int, rows: Sequence[Row], val: Prepared) -> GalleryImage:
    sample = val.sample(place)
    size = (int(sample.image.shape[-2]), int(sample.image.shape[-1]))
    photograph = val.geometry.normalise(sample.image[None])
    maps: dict[str, ClassMaps] = {}
    before: dict[str, Mapping[str, ClassMaps]] = {}
    for row in rows:
        if row.map_fuser is None:
            maps[row.name] = {int(c): CONTROLS[row.name](*size) for c in sample.labels.nonzero()}
        else:
            fused = row.map_fuser.fused([place], sample.labels[None], photograph)
            maps[row.name] = {int(c): m for c, m in zip(fused.classes, fused.values, strict=True)}
            before[row.name] = _before_fusion(row.map_fuser, place, sample.labels[None], size)
    return GalleryImage(
        sample.id, sample.image, sample.labels, maps, sample.mask, sample.boxes, sample.box_classes, before
    )


def _before_fusion(map_fuser: MapFuser, place: int, labels: Tensor, size: tuple[int, int]) -> dict[str, ClassMaps]:
    """The map of every view and branch of an arm, its layers summed; nothing where there is only one."""
    stack = map_fuser.stack([place], labels, labels, size)
    parts: dict[str, dict[int, Tensor]] = {}
    for pair, c in enumerate(stack.classes.tolist()):
        for slot, v in enumerate(map_fuser.grouping.views_of(c)):
            for branch, layers in enumerate(stack.values[pair, slot]):
                name = map_fuser.grouping.views[v].name + (
                    f", branch {branch + 1}" if stack.values.shape[2] > 1 else ""
                )
                parts.setdefault(name, {})[c] = layers.sum(0)
    return dict(parts) if len(parts) > 1 else {}
