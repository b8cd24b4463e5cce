"""The measure stage: fused maps past every metric, statistics added up and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from camforge.experiment.failure import blaming
from camforge.experiment.store import digest
from camforge.experiment.workshop import Bench, recipe_of
from camforge.interfaces import Metric
from camforge.training.images import Prepared
from camforge.types import Batch, CamForgeError, Evidence, Maps

Source = Callable[[list[int], Batch], tuple[Maps, Tensor | None]]
"""(places, batch) -> fused maps of the batch, and logits (B, C) of the ungrouped view where there is one."""


@dataclass(frozen=True)
class Measured:
    """Numbers of one row of the table, and how many (image, class) maps had nothing above zero."""

    metrics: Mapping[str, float]
    pairs: int
    empty: int


NOTHING = Measured({}, 0, 0)
"""Of an arm that failed."""


def measure(
    label: str,
    recipe: Mapping[str, Any],
    source: Source,
    metrics: Sequence[Metric],
    bench: Bench,
    val: Prepared,
    size: int,
) -> Measured:
    """All metrics over a split in one go; ``recipe`` says what determines the maps."""
    recipe = {"maps": recipe, "metrics": [recipe_of(m) for m in metrics]} | bench.data_recipe(val)
    key = digest(recipe)
    entry = bench.store.find("totals", key)
    if entry is None:
        with bench.progress.task(f"measure {label}") as tick:
            state = _observe(source, metrics, bench, val, size, tick)
        entry = bench.store.keep("totals", key, recipe, lambda draft: torch.save(state, draft / "totals.pt"))
    state = torch.load(entry / "totals.pt", map_location="cpu", weights_only=True)
    numbers: dict[str, float] = {}
    for metric, total in zip(metrics, state["totals"], strict=True):
        with blaming(metric):
            concluded = metric.conclude(total, val.images.classes)
        if clash := numbers.keys() & concluded.keys():
            raise CamForgeError(f"metric {metric.name!r}: an earlier metric already tells {', '.join(sorted(clash))}")
        numbers |= concluded
    return Measured(numbers, int(state["pairs"]), int(state["empty"]))


def _observe(
    source: Source, metrics: Sequence[Metric], bench: Bench, val: Prepared, size: int, tick: Callable[..., None]
) -> dict[str, Any]:
    totals: list[Tensor | None] = [None] * len(metrics)
    pairs = empty = 0
    for places, batch in val.batches(size, bench.device):
        maps, logits = source(places, batch)
        evidence = Evidence(batch, maps.values, maps.images, maps.classes, logits)
        for i, metric in enumerate(metrics):
            with blaming(metric):
                seen = metric.observe(evidence).cpu()
            before = totals[i]
            totals[i] = seen if before is None else before + seen
        pairs += len(maps)
        empty += int((maps.values.flatten(1).amax(1) <= 0).sum()) if len(maps) else 0
        tick(places[-1] + 1, len(val))
    return {"totals": totals, "pairs": pairs, "empty": empty}
