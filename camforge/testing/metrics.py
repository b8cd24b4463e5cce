"""What is expected of a metric."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from camforge.interfaces import Metric
from camforge.testing.base import PluginContract
from camforge.testing.examples import example_evidence
from camforge.types import Batch, CamForgeError, Evidence

NAMES = ("cat", "dog", "horse")


class MetricContract(PluginContract):
    """A metric's statistics add: over batches, workers and machines."""

    def evidence(self) -> Evidence:
        """What is measured: override it for a metric that needs evidence of another kind."""
        return example_evidence()

    def test_statistics_are_one_tensor(self, plugin: Metric, device: str) -> None:
        seen = plugin.observe(_on(self.evidence(), device))
        assert isinstance(seen, Tensor)
        assert seen.dtype in (torch.float64, torch.int64), f"{seen.dtype} would round sums over a large data set"
        assert torch.isfinite(seen.double()).all()

    def test_statistics_add(self, plugin: Metric) -> None:
        evidence = self.evidence()
        whole = plugin.observe(evidence)
        count = len(evidence.batch)
        parts = [plugin.observe(_part(evidence, start, start + 1)) for start in range(count)]
        assert {part.shape for part in parts} == {whole.shape}, "the shape must not depend on the batch"
        assert torch.allclose(torch.stack(parts).sum(0).double(), whole.double(), rtol=1e-9, atol=1e-9)

    def test_numbers(self, plugin: Metric) -> None:
        numbers = plugin.conclude(plugin.observe(self.evidence()), NAMES)
        assert numbers
        assert all(isinstance(name, str) and isinstance(number, float) for name, number in numbers.items())
        headline = next(iter(numbers))
        assert "/" not in headline, "the first number is the headline; name/class is one class's"
        assert math.isfinite(numbers[headline])
        assert all(name.rpartition("/")[2] in (*NAMES, "background") for name in numbers if "/" in name)
        json.dumps(dict(numbers), allow_nan=False)

    def test_it_repeats_and_leaves_the_evidence_alone(self, plugin: Metric) -> None:
        evidence, untouched = self.evidence(), self.evidence()
        assert torch.equal(plugin.observe(evidence), plugin.observe(evidence))
        assert torch.equal(evidence.maps, untouched.maps)
        for field in fields(Batch):
            assert _same(getattr(evidence.batch, field.name), getattr(untouched.batch, field.name))

    def test_a_batch_without_a_single_map(self, plugin: Metric) -> None:
        evidence = self.evidence()
        empty = replace(
            evidence, maps=evidence.maps[:0], images=evidence.images[:0], classes=evidence.classes[:0],
            batch=replace(evidence.batch, labels=torch.zeros_like(evidence.batch.labels)),
        )  # fmt: skip
        assert plugin.observe(empty).shape == plugin.observe(evidence).shape

    def test_all_zero_maps(self, plugin: Metric) -> None:
        evidence = self.evidence()
        zeros = replace(evidence, maps=torch.zeros_like(evidence.maps))
        numbers = plugin.conclude(plugin.observe(zeros) + plugin.observe(evidence), NAMES)
        assert all(math.isfinite(number) for number in numbers.values())

    def test_missing_truth_is_named(self, plugin: Metric) -> None:
        evidence = self.evidence()
        nobody = tuple(torch.zeros(0, 4) for _ in evidence.batch.boxes)
        nothing = tuple(torch.zeros(0, dtype=torch.int64) for _ in nobody)
        batch = replace(evidence.batch, masks=None, parts=None, boxes=nobody, box_classes=nothing)
        _works_or_says_why(plugin, replace(evidence, batch=batch, logits=None))

    def test_nan_is_not_hidden(self, plugin: Metric) -> None:
        """It is named, shows in the numbers, or is told apart from the same evidence without it."""
        evidence = self.evidence()
        broken = evidence.maps.clone()
        broken[0, 3, 3] = math.nan
        numbers = _works_or_says_why(plugin, replace(evidence, maps=broken))
        sound = plugin.conclude(plugin.observe(evidence), NAMES)
        assert not numbers or numbers == sound or any(math.isnan(number) for number in numbers.values())


def _works_or_says_why(plugin: Metric, evidence: Evidence) -> dict[str, float]:
    reason = ""
    try:
        return dict(plugin.conclude(plugin.observe(evidence), NAMES))
    except CamForgeError as error:
        reason = str(error)
    assert plugin.name in reason, "the message does not say which metric it is about"
    return {}


def _part(evidence: Evidence, start: int, stop: int) -> Evidence:
    """The evidence of some images."""
    mine = (evidence.images >= start) & (evidence.images < stop)
    whole: dict[str, Any] = {field.name: getattr(evidence.batch, field.name) for field in fields(Batch)}
    cut: dict[str, Any] = {name: None if value is None else value[start:stop] for name, value in whole.items()}
    logits = None if evidence.logits is None else evidence.logits[start:stop]
    pairs = (evidence.maps[mine], evidence.images[mine] - start, evidence.classes[mine])
    return Evidence(Batch(**cut), *pairs, logits, evidence.score)


def _on(evidence: Evidence, device: str) -> Evidence:
    def move(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(move, value))
        return value.to(device) if isinstance(value, Tensor) else value

    batch = Batch(**{field.name: move(getattr(evidence.batch, field.name)) for field in fields(Batch)})
    tensors = {name: move(getattr(evidence, name)) for name in ("maps", "images", "classes", "logits")}
    return replace(evidence, batch=batch, **tensors)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return all(map(_same, one, other))
    return torch.equal(one, other) if isinstance(one, Tensor) else one == other
