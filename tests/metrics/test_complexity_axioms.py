"""Metrics of complexity, of axioms and of regions against their equations, pair by pair."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made import random_metric_input
from sklearn.metrics import roc_auc_score
from slow import Pair, expected, found, seen_pairs

from camforge.api import MetricInput
from camforge.testing import example_metric_input
from camforge_plugins.metrics.axiomatic.completeness import Completeness
from camforge_plugins.metrics.axiomatic.input_invariance import InputInvariance
from camforge_plugins.metrics.axiomatic.non_sensitivity import NonSensitivity
from camforge_plugins.metrics.complexity.complexity import Complexity
from camforge_plugins.metrics.complexity.effective_complexity import EffectiveComplexity
from camforge_plugins.metrics.complexity.sparseness import Sparseness
from camforge_plugins.metrics.localization.attribution_localization import AttributionLocalization
from camforge_plugins.metrics.localization.auc import AUC
from camforge_plugins.metrics.localization.relevance_mass import RelevanceMass
from camforge_plugins.metrics.localization.relevance_rank import RelevanceRank
from camforge_plugins.metrics.localization.top_k_intersection import TopKIntersection


def test_sparseness() -> None:
    def slow(pair: Pair) -> float:
        """Gini's index from its first definition: the mean absolute difference over twice the mean."""
        a = pair.cam.abs().flatten().numpy()
        return float(np.abs(a[:, None] - a[None]).mean() / (2 * a.mean()))

    assert found(Sparseness()) == pytest.approx(expected(slow), abs=1e-9)
    one = torch.zeros(2, 100).flatten()
    one[5] = 3.0
    seen = example_metric_input()
    single = replace(seen, maps=torch.zeros_like(seen.maps).index_fill(2, torch.tensor([4]), 1.0))
    assert found(Sparseness(), single) == pytest.approx(1 - 1 / 20)


def test_complexity() -> None:
    def slow(pair: Pair) -> float:
        p = [abs(float(v)) / float(pair.cam.abs().sum()) for v in pair.cam.flatten()]
        return -sum(v * np.log(v) for v in p if v > 0)

    assert found(Complexity()) == pytest.approx(expected(slow), abs=1e-9)
    seen = example_metric_input()
    assert found(Complexity(), replace(seen, maps=torch.ones_like(seen.maps))) == pytest.approx(np.log(320))


def test_effective_complexity() -> None:
    def slow(pair: Pair) -> float:
        order, before = pair.falling(pair.cam.abs()), pair.score(pair.image, "sigmoid")
        for step in range(9):
            after = pair.score(pair.without(order[round(step / 8 * len(order)) :]), "sigmoid")
            if (before - after) ** 2 / before**2 < 0.01:
                return 100 * step / 8
        raise AssertionError

    want = expected(slow)
    assert 0 < want < 100
    assert found(EffectiveComplexity(steps=8, tolerance=0.01)) == pytest.approx(want)


def test_completeness() -> None:
    def slow(pair: Pair) -> float:
        gain = pair.score(pair.image) - pair.score(torch.zeros_like(pair.image))
        return abs(float(pair.cam.sum()) - gain) / abs(gain)

    assert found(Completeness()) == pytest.approx(expected(slow), rel=1e-6)
    seen = example_metric_input()
    gains = torch.tensor([p.score(p.image) - p.score(torch.zeros_like(p.image)) for p in seen_pairs()])
    whole = replace(seen, maps=(gains / 320)[:, None, None].expand_as(seen.maps).contiguous())
    assert found(Completeness(), whole) == pytest.approx(0, abs=1e-5)


def test_non_sensitivity() -> None:
    def slow(pair: Pair) -> float:
        patches, before = pair.patches(4), pair.score(pair.image)
        change = [abs(before - pair.score(pair.without(patch))) for patch in patches]
        size = [sum(abs(float(pair.cam[place])) for place in patch) for patch in patches]
        differ = [(a <= 0.3 * max(size)) != (b <= 0.3 * max(change)) for a, b in zip(size, change, strict=True)]
        return 100 * sum(differ) / len(differ)

    want = expected(slow)
    assert 0 < want < 100
    assert found(NonSensitivity(patch=4, least=0.3)) == pytest.approx(want)


def test_input_invariance() -> None:
    """Grad-CAM of a network that takes the shift away is the same map; of an image times its gradient it is not."""
    seen = example_metric_input()
    own = [torch.from_numpy(pair.map_of(pair.image)).float() for pair in seen_pairs()]
    assert found(InputInvariance(), replace(seen, maps=torch.stack(own))) < 1e-5

    class Product:
        def __init__(self, shift: float = 0.0) -> None:
            self.shift = shift

        def with_shifted_input(self, shift: float) -> "Product":
            return Product(shift)

        def maps(self, images: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            return images.sum(1)  # of a sum over pixels, whose gradient is one

    product = replace(seen, maps=seen.batch.images[seen.images].sum(1), model=Product())

    def slow(pair: Pair) -> float:
        return 3 * 0.5 * 320**0.5 / float(pair.cam.norm())  # each pixel moves by three colours' shift

    assert found(InputInvariance(shift=0.5), product) == pytest.approx(expected(slow, product), rel=1e-5)


def region(pair: Pair) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, and whether they lie on the class, of the pixels that count; and the class's pixels."""
    mask = pair.seen.batch.masks[pair.place].numpy()
    inside = mask == 1 + pair.label
    return pair.cam.numpy()[mask != 255], inside[mask != 255], inside


def test_regions() -> None:
    def share(pair: Pair, mass: object) -> float:
        values, inside, _ = region(pair)
        return float(mass(values)[inside].sum() / mass(values).sum())

    def positive(values: np.ndarray) -> np.ndarray:
        return np.maximum(values, 0)

    def weighted(pair: Pair) -> float:
        _, inside, _ = region(pair)
        return share(pair, positive) * len(inside) / inside.sum()

    def top(pair: Pair, count: int) -> float:
        values, inside, _ = region(pair)
        return 100 * float(inside[np.argsort(-values, kind="stable")[:count]].sum()) / count

    def auc(pair: Pair) -> float:
        values, inside, _ = region(pair)
        return 100 * float(roc_auc_score(inside, np.round(values, 1)))

    for seen in (example_metric_input(), shown(random_metric_input(4))):
        mu = AttributionLocalization()
        assert found(mu, seen) == pytest.approx(expected(lambda p: 100 * share(p, positive), seen))
        assert found(mu, seen, "weighted_localization") == pytest.approx(expected(weighted, seen))
        for name, mass in (("square", np.square), ("absolute", np.abs), ("positive", positive)):
            want = expected(lambda p, mass=mass: 100 * share(p, mass), seen)
            assert found(RelevanceMass(mass=name), seen) == pytest.approx(want)
        assert found(RelevanceRank(), seen) == pytest.approx(expected(lambda p: top(p, region(p)[1].sum()), seen))
        want = expected(lambda p: top(p, max(1, round(0.1 * len(region(p)[1])))), seen)
        assert found(TopKIntersection(share=0.1), seen) == pytest.approx(want)
        rounded = replace(seen, maps=torch.from_numpy(np.round(seen.maps.double().numpy(), 1)))
        assert found(AUC(), rounded) == pytest.approx(expected(auc, seen))


def shown(seen: MetricInput) -> MetricInput:
    """Without the pairs whose class the mask does not show: scikit-learn has no number for them, nor have we."""
    masks = seen.batch.masks[seen.images]
    kept = (masks == (1 + seen.classes)[:, None, None]).flatten(1).any(1)
    labels = torch.zeros_like(seen.batch.labels)
    labels[seen.images[kept], seen.classes[kept]] = True
    batch = replace(seen.batch, labels=labels)
    return MetricInput(batch, seen.maps[kept], seen.images[kept], seen.classes[kept], seen.logits)
