"""What holds for every metric that compares maps with the truth: statistics add, whatever the batch looks like."""

import math

import pytest
import torch
from made import joined, metric_input, random_metric_input

from camforge.api import CamForgeError, MetricInput
from camforge_plugins.metrics import camforge_metrics
from camforge_plugins.metrics.localization.miou import MeanIoU

METRICS = [cls() for cls in camforge_metrics() if cls.family == "localization"] + [
    MeanIoU(per_image=True, with_background=True),
    MeanIoU(protocol="argmax", drop_invisible=True),
    MeanIoU(threshold="otsu"),
]
every = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric.spec()))


@every
def test_statistics_add(metric):
    for seed in range(3):
        first, second = random_metric_input(seed), random_metric_input(seed + 50, images=2)
        apart, together = metric.update(first) + metric.update(second), metric.update(joined(first, second))
        assert apart.dtype == together.dtype
        assert apart.dtype in (torch.int64, torch.float64)
        torch.testing.assert_close(apart, together, rtol=1e-12, atol=1e-12)


@every
def test_the_order_of_pairs_is_nothing(metric):
    seen = random_metric_input(5)
    order = torch.randperm(len(seen.maps))
    turned = MetricInput(seen.batch, seen.maps[order], seen.images[order], seen.classes[order], seen.logits)
    torch.testing.assert_close(metric.update(turned), metric.update(seen), rtol=1e-12, atol=1e-12)


@every
def test_a_batch_without_pairs_changes_no_number(metric):
    """Image 0 of the made batches holds no class; the background, where it counts, does see it."""
    seen, empty = random_metric_input(6), random_metric_input(6, images=1)
    assert len(empty.maps) == 0
    total = metric.update(seen)
    names = ("a", "b", "c")
    before, after = metric.compute(total, names), metric.compute(total + metric.update(empty), names)
    for name, value in before.items():
        assert math.isfinite(value)
        if not getattr(metric, "with_background", False):
            assert after[name] == pytest.approx(value, abs=1e-9) or name == "pixel_accuracy"


@every
def test_numbers_are_named_by_metric_and_class(metric):
    numbers = metric.compute(metric.update(random_metric_input(7)), ("a", "b", "c"))
    heads = {name for name in numbers if "/" not in name}
    assert next(iter(numbers)) in heads
    assert {name.partition("/")[0] for name in numbers} == heads
    assert metric.lower_is_better <= heads
    assert {*metric.thresholds, *metric.thresholds.values()} <= heads


@every
def test_broken_maps_are_named(metric):
    seen = random_metric_input(8)
    maps = seen.maps.clone()
    maps[1, 0, 0] = torch.inf
    place = f"image '{seen.batch.ids[int(seen.images[1])]}', class {int(seen.classes[1])}"
    with pytest.raises(CamForgeError, match=f"metric '{metric.name}': the map of {place} holds NaN or infinity"):
        metric.update(MetricInput(seen.batch, maps, seen.images, seen.classes, seen.logits))


@every
def test_all_zero_maps_earn_nothing(metric):
    """Empty masks everywhere: no hit of any kind, however low the threshold."""
    seen = random_metric_input(9)
    dark = MetricInput(seen.batch, torch.zeros_like(seen.maps), seen.images, seen.classes, seen.logits)
    numbers = metric.compute(metric.update(dark), ("a", "b", "c"))
    headline = next(iter(numbers))
    if metric.name in ("mlev", "localization"):
        assert numbers[headline] == 100
    elif metric.name == "auc":
        assert numbers[headline] == 50
    elif metric.name == "pxap":  # one bin: precision is the share of the objects' pixels
        masks = seen.batch.masks[seen.images]
        own = (masks == 1 + seen.classes[:, None, None]).sum() / (masks != 255).sum()
        assert numbers[headline] == pytest.approx(100 * float(own), abs=1e-4)
    elif metric.spec().get("with_background"):
        assert numbers["miou/a"] == 0
    else:
        assert numbers[headline] == 0


def test_needed_truth_is_named():
    bare = metric_input({(0, 0): torch.ones(4, 4)}, [[1]])
    for metric in METRICS:
        with pytest.raises(CamForgeError, match=rf"metric '{metric.name}' needs (class masks|boxes|a box)"):
            metric.compute(metric.update(bare), ("a",))
