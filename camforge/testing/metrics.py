"""What is expected of a metric."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from camforge.interfaces import Metric, MetricInput
from camforge.testing.base import PluginContract
from camforge.testing.examples import example_metric_input
from camforge.types import Batch, CamForgeError

NAMES = ("cat", "dog", "horse")


class MetricContract(PluginContract):
    """A metric's statistics add: over batches, workers and machines."""

    def metric_input(self) -> MetricInput:
        """What is measured: override it for a metric that needs another kind of input."""
        return example_metric_input()

    def test_statistics_are_one_tensor(self, plugin: Metric, device: str) -> None:
        seen = plugin.update(_on(self.metric_input(), device))
        assert isinstance(seen, Tensor)
        assert seen.dtype in (torch.float64, torch.int64), f"{seen.dtype} would round sums over a large data set"
        assert torch.isfinite(seen.double()).all()

    def test_statistics_add(self, plugin: Metric) -> None:
        metric_input = self.metric_input()
        whole = plugin.update(metric_input)
        count = len(metric_input.batch)
        parts = [plugin.update(_part(metric_input, start, start + 1)) for start in range(count)]
        assert {part.shape for part in parts} == {whole.shape}, "the shape must not depend on the batch"
        assert torch.allclose(torch.stack(parts).sum(0).double(), whole.double(), rtol=1e-9, atol=1e-9)

    def test_numbers(self, plugin: Metric) -> None:
        numbers = plugin.compute(plugin.update(self.metric_input()), NAMES)
        assert numbers
        assert all(isinstance(name, str) and isinstance(number, float) for name, number in numbers.items())
        headline = next(iter(numbers))
        assert "/" not in headline, "the first number is the headline; name/class is one class's"
        assert math.isfinite(numbers[headline])
        assert all(name.rpartition("/")[2] in (*NAMES, "background") for name in numbers if "/" in name)
        json.dumps(dict(numbers), allow_nan=False)

    def test_numbers_lie_in_their_bounds(self, plugin: Metric) -> None:
        metric_input = self.metric_input()
        maps = (metric_input.maps, -metric_input.maps, metric_input.maps.flip(1), torch.ones_like(metric_input.maps))
        least, most = plugin.bounds
        for some in maps:
            numbers = _works_or_says_why(plugin, replace(metric_input, maps=some))
            scores = {name: number for name, number in numbers.items() if name not in plugin.thresholds}
            beyond = {name: n for name, n in scores.items() if not least - 1e-9 <= n <= most + 1e-9}
            assert not beyond, f"bounds are {least} to {most}"

    def test_it_repeats_and_leaves_its_input_alone(self, plugin: Metric) -> None:
        metric_input, untouched = self.metric_input(), self.metric_input()
        assert torch.equal(plugin.update(metric_input), plugin.update(metric_input))
        assert torch.equal(metric_input.maps, untouched.maps)
        for field in fields(Batch):
            assert _same(getattr(metric_input.batch, field.name), getattr(untouched.batch, field.name))

    def test_a_batch_without_a_single_map(self, plugin: Metric) -> None:
        metric_input = self.metric_input()
        empty = replace(
            metric_input, maps=metric_input.maps[:0], images=metric_input.images[:0], classes=metric_input.classes[:0],
            batch=replace(metric_input.batch, labels=torch.zeros_like(metric_input.batch.labels)),
        )  # fmt: skip
        assert plugin.update(empty).shape == plugin.update(metric_input).shape

    def test_all_zero_maps(self, plugin: Metric) -> None:
        metric_input = self.metric_input()
        zeros = replace(metric_input, maps=torch.zeros_like(metric_input.maps))
        numbers = plugin.compute(plugin.update(zeros) + plugin.update(metric_input), NAMES)
        assert all(math.isfinite(number) for number in numbers.values())

    def test_missing_truth_is_named(self, plugin: Metric) -> None:
        metric_input = self.metric_input()
        nobody = tuple(torch.zeros(0, 4) for _ in metric_input.batch.boxes)
        nothing = tuple(torch.zeros(0, dtype=torch.int64) for _ in nobody)
        batch = replace(metric_input.batch, masks=None, parts=None, boxes=nobody, box_classes=nothing)
        _works_or_says_why(plugin, replace(metric_input, batch=batch, logits=None))

    def test_nan_is_not_hidden(self, plugin: Metric) -> None:
        """A map with one NaN: an error names the metric, or a number is NaN. No number may stand as if nothing was."""
        metric_input = self.metric_input()
        for pair in range(len(metric_input.maps)):
            broken = metric_input.maps.clone()
            broken[pair, 3, 3] = math.nan
            numbers = _works_or_says_why(plugin, replace(metric_input, maps=broken))
            assert not numbers or any(math.isnan(number) for number in numbers.values())


def _works_or_says_why(plugin: Metric, metric_input: MetricInput) -> dict[str, float]:
    reason = ""
    try:
        return dict(plugin.compute(plugin.update(metric_input), NAMES))
    except CamForgeError as error:
        reason = str(error)
    assert plugin.name in reason, "the message does not say which metric it is about"
    return {}


def _part(metric_input: MetricInput, start: int, stop: int) -> MetricInput:
    """The input of some images."""
    mine = (metric_input.images >= start) & (metric_input.images < stop)
    whole: dict[str, Any] = {field.name: getattr(metric_input.batch, field.name) for field in fields(Batch)}
    cut: dict[str, Any] = {name: None if value is None else value[start:stop] for name, value in whole.items()}
    logits = None if metric_input.logits is None else metric_input.logits[start:stop]
    pairs = (metric_input.maps[mine], metric_input.images[mine] - start, metric_input.classes[mine])
    removed = metric_input.without_part
    shifted = None if removed is None else lambda images, classes, part: removed(images + start, classes, part)
    return MetricInput(Batch(**cut), *pairs, logits, metric_input.model, shifted)


def _on(metric_input: MetricInput, device: str) -> MetricInput:
    def move(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(move, value))
        return value.to(device) if isinstance(value, Tensor) else value

    batch = Batch(**{field.name: move(getattr(metric_input.batch, field.name)) for field in fields(Batch)})
    tensors = {name: move(getattr(metric_input, name)) for name in ("maps", "images", "classes", "logits")}
    return replace(metric_input, batch=batch, **tensors)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return all(map(_same, one, other))
    return torch.equal(one, other) if isinstance(one, Tensor) else one == other
