"""The measure stage: fused maps past every metric, statistics added up and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from camforge.host.failure import blaming
from camforge.interfaces import Metric, MetricInput
from camforge.interfaces.metric import Curve
from camforge.pipeline.fuse import SplitMaps
from camforge.pipeline.session import Session, data_recipe, recipe_of
from camforge.store.store import digest, write_tensors
from camforge.training import distributed
from camforge.types import CamForgeError


@dataclass(frozen=True)
class Measurement:
    """Numbers and curves of one row of the table, and how many (image, class) maps had nothing above zero.

    missing    {metric: why it has no number here}
    by_metric  {metric: the names of its numbers}
    """

    metrics: Mapping[str, float]
    pairs: int
    empty: int
    curves: Mapping[str, Curve] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    by_metric: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def joined(self, other: Measurement, split: str) -> Measurement:
        """With the numbers of another split, each called ``name@split`` or ``name@split/class``."""
        return replace(
            self,
            metrics={**self.metrics, **{at_split(name, split): value for name, value in other.metrics.items()}},
            curves={**self.curves, **{f"{title}, {split}": curve for title, curve in other.curves.items()}},
            missing={**self.missing, **{at_split(name, split): reason for name, reason in other.missing.items()}},
        )


@dataclass
class Statistics:
    """What the metrics' updates came to over batches: one total per metric, or why there is none."""

    totals: list[Tensor | None]
    reasons: list[str]
    pairs: int = 0
    empty: int = 0

    @classmethod
    def of(cls, count: int) -> Statistics:
        """Of so many metrics that have seen nothing."""
        return cls([None] * count, [""] * count)

    def add(self, place: int, total: Tensor | None, reason: str = "") -> None:
        """One more statistic of the metric at ``place``; from its first failure on it has none."""
        before = self.totals[place]
        self.reasons[place] = self.reasons[place] or reason
        if self.reasons[place]:
            self.totals[place] = None
        elif total is not None:
            self.totals[place] = total if before is None else before + total

    def join(self, other: Statistics) -> None:
        """What another process counted."""
        for place, (total, reason) in enumerate(zip(other.totals, other.reasons, strict=True)):
            self.add(place, total, reason)
        self.pairs, self.empty = self.pairs + other.pairs, self.empty + other.empty


def at_split(name: str, split: str) -> str:
    """ "miou" -> "miou@train", "miou/cat" -> "miou@train/cat"."""
    metric, slash, label = name.partition("/")
    return f"{metric}@{split}{slash}{label}"


def measure(
    maps: SplitMaps, metrics: Sequence[Metric], session: Session, unchosen: Mapping[str, str] = MappingProxyType({})
) -> Measurement:
    """All metrics over a split in one go; one that fails has no numbers, and the reason is kept.

    unchosen  {metric: why it could not choose what it measures by}: it has no numbers either
    Raises CamForgeError where every metric fails.
    """
    metrics = [metric for metric in metrics if metric.name not in unchosen]
    found = _statistics(maps, metrics, session)
    numbers: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    by_metric: dict[str, tuple[str, ...]] = {}
    missing = {**unchosen, **{m.name: reason for m, reason in zip(metrics, found.reasons, strict=True) if reason}}
    classes = maps.split.dataset.classes
    for metric, total in zip(metrics, found.totals, strict=True):
        if total is None:
            continue
        try:
            with blaming(metric):
                computed, drawn = dict(metric.compute(total, classes)), metric.curves(total, classes)
        except CamForgeError as error:
            missing[metric.name] = str(error)
            continue
        if clash := numbers.keys() & computed.keys():
            raise CamForgeError(f"metric {metric.name!r}: two metrics report {', '.join(sorted(clash))}")
        numbers |= computed
        curves |= drawn
        by_metric[metric.name] = tuple(computed)
    if not numbers:
        raise CamForgeError("; ".join(missing.values()))
    return Measurement(numbers, found.pairs, found.empty, curves, missing, by_metric)


def calibrate_metrics(
    maps: SplitMaps, metrics: Sequence[Metric], session: Session
) -> tuple[list[Metric], dict[str, str]]:
    """The metrics, those that choose something by the training images with their choice; ``maps`` are of that split.

    Also {metric: why it could not choose}: on other images it must not choose anew.
    """
    asked = [metric for metric in metrics if metric.needs_calibration]
    if not asked:
        return list(metrics), {}
    found = _statistics(maps, asked, session)
    chosen: dict[str, Metric] = {}
    unchosen: dict[str, str] = {}
    for metric, total, reason in zip(asked, found.totals, found.reasons, strict=True):
        try:
            with blaming(metric):
                chosen[metric.name] = _calibrated(metric, total, reason)
        except CamForgeError as error:
            unchosen[metric.name] = f"on the training images: {error}"
    return [chosen.get(metric.name, metric) for metric in metrics], unchosen


def _calibrated(metric: Metric, total: Tensor | None, reason: str) -> Metric:
    if total is None:
        raise CamForgeError(reason or f"metric {metric.name!r} got no image")
    return metric.calibrate(total)


def _statistics(maps: SplitMaps, metrics: Sequence[Metric], session: Session) -> Statistics:
    """From the store where they are there. What failed is not kept: a mended plugin is asked again."""
    recipe = {"maps": maps.recipe, "metrics": [recipe_of(m) for m in metrics]} | data_recipe(maps.split)
    key = digest(recipe)
    entry = session.store.find("totals", key)
    if entry is None:
        with session.progress.task(f"measure {maps.label}") as tick:
            found = _gathered(distributed.on_all_ranks(lambda: _update(maps, metrics, session, tick)))
        if any(distributed.on_rank_zero(lambda: found.reasons)):
            return distributed.on_rank_zero(lambda: found)
        state = {"totals": found.totals, "pairs": found.pairs, "empty": found.empty}
        entry = session.store.commit("totals", key, recipe, lambda draft: write_tensors(draft / "totals.pt", state))
    kept: dict[str, Any] = torch.load(entry / "totals.pt", map_location="cpu", weights_only=True)
    return Statistics(kept["totals"], [""] * len(metrics), int(kept["pairs"]), int(kept["empty"]))


def _update(maps: SplitMaps, metrics: Sequence[Metric], session: Session, tick: Callable[..., None]) -> Statistics:
    found = Statistics.of(len(metrics))
    for places, batch in maps.batches(session.batch_size, session.device, distributed.batches()):
        for place, metric in enumerate(metrics):
            if not found.reasons[place]:
                found.add(place, *_of_batch(metric, batch))
        found.pairs += len(batch.maps)
        found.empty += int((batch.maps.flatten(1).amax(1) <= 0).sum()) if len(batch.maps) else 0
        tick(places[-1] + 1, len(maps.split))
    return found


def _of_batch(metric: Metric, batch: MetricInput) -> tuple[Tensor | None, str]:
    """One batch's statistic on the CPU, or why there is none."""
    try:
        with blaming(metric):
            return metric.update(batch).cpu(), ""
    except CamForgeError as error:
        return None, str(error)


def _gathered(mine: Statistics) -> Statistics:
    """On the leader the statistics of all processes; one that had no batch brings none."""
    parts = distributed.gather([mine]) or [mine]
    for other in parts[1:]:
        parts[0].join(other)
    return parts[0]
