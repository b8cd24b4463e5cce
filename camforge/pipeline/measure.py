"""The measure stage: fused maps past every metric, statistics added up and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from camforge.data.prepared import Prepared
from camforge.interfaces import Metric
from camforge.interfaces.metric import Curve
from camforge.pipeline.failure import blaming
from camforge.pipeline.session import Session, recipe_of
from camforge.store.store import digest, write_tensors
from camforge.training import distributed
from camforge.types import Batch, CamForgeError, MetricInput

Source = Callable[[list[int], Batch], MetricInput]
"""(places, batch) -> the batch with its fused maps."""


@dataclass(frozen=True)
class Measured:
    """Numbers and curves of one row of the table, and how many (image, class) maps had nothing above zero."""

    metrics: Mapping[str, float]
    pairs: int
    empty: int
    curves: Mapping[str, Curve] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FusedMaps:
    """One split as a row of the table sees it; ``recipe`` says what determines the maps."""

    label: str
    recipe: Mapping[str, Any]
    source: Source
    images: Prepared


NOTHING = Measured({}, 0, 0)
"""Of an arm that failed."""


def measure(seen: FusedMaps, metrics: Sequence[Metric], session: Session, size: int) -> Measured:
    """All metrics over a split in one go, ``size`` images at a time."""
    totals, pairs, empty = _totals(seen, metrics, session, size)
    numbers: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    classes = seen.images.images.classes
    for metric, total in zip(metrics, totals, strict=True):
        with blaming(metric):
            computed = metric.compute(total, classes)
            curves |= metric.curves(total, classes)
        if clash := numbers.keys() & computed.keys():
            raise CamForgeError(f"metric {metric.name!r}: an earlier metric already tells {', '.join(sorted(clash))}")
        numbers |= computed
    return Measured(numbers, pairs, empty, curves)


def calibrate_metrics(seen: FusedMaps, metrics: Sequence[Metric], session: Session, size: int) -> list[Metric]:
    """The metrics, those that choose something by the training images with their choice; ``seen`` is that split."""
    calibration = [metric for metric in metrics if metric.needs_calibration]
    if not calibration:
        return list(metrics)
    totals = iter(_totals(seen, calibration, session, size)[0])
    chosen = []
    for metric in metrics:
        with blaming(metric):
            chosen.append(metric.calibrate(next(totals)) if metric.needs_calibration else metric)
    return chosen


def _totals(
    seen: FusedMaps, metrics: Sequence[Metric], session: Session, size: int
) -> tuple[Sequence[Tensor], int, int]:
    """(one statistic per metric, number of maps, how many of them are empty), from the store where they are there."""
    recipe = {"maps": seen.recipe, "metrics": [recipe_of(m) for m in metrics]} | session.data_recipe(seen.images)
    key = digest(recipe)
    entry = session.store.find("totals", key)
    if entry is None:
        with session.progress.task(f"measure {seen.label}") as tick:
            state = _added_up(distributed.on_all_ranks(lambda: _update(seen, metrics, session, size, tick)))
        entry = session.store.commit("totals", key, recipe, lambda draft: write_tensors(draft / "totals.pt", state))
    state = torch.load(entry / "totals.pt", map_location="cpu", weights_only=True)
    return state["totals"], int(state["pairs"]), int(state["empty"])


def _update(
    seen: FusedMaps, metrics: Sequence[Metric], session: Session, size: int, tick: Callable[..., None]
) -> dict[str, Any]:
    totals: list[Tensor | None] = [None] * len(metrics)
    pairs = empty = 0
    for places, batch in seen.images.batches(size, session.device, distributed.batches()):
        metric_input = seen.source(places, batch)
        for i, metric in enumerate(metrics):
            with blaming(metric):
                found = metric.update(metric_input).cpu()
            before = totals[i]
            totals[i] = found if before is None else before + found
        pairs += len(metric_input.maps)
        empty += int((metric_input.maps.flatten(1).amax(1) <= 0).sum()) if len(metric_input.maps) else 0
        tick(places[-1] + 1, len(seen.images))
    return {"totals": totals, "pairs": pairs, "empty": empty}


def _added_up(mine: dict[str, Any]) -> dict[str, Any]:
    """On the leader the statistics of all processes; one that had no batch brings none."""
    states = distributed.gather([mine]) or [mine]
    statistics = zip(*(state["totals"] for state in states), strict=True)
    totals = [sum(part for part in parts if part is not None) for parts in statistics]
    return {"totals": totals} | {name: sum(state[name] for state in states) for name in ("pairs", "empty")}
