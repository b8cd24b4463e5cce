"""Metrics of faithfulness against their equations, pair by pair."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from slow import Pair, class_means, expected, found, pearson, seen_pairs, trapezoids

from camforge.api import MetricInput
from camforge.testing import example_metric_input
from camforge_plugins.metrics.common.draws import pair_seeds, subsets, uniform
from camforge_plugins.metrics.common.superpixels import superpixels
from camforge_plugins.metrics.faithfulness.adcc import ADCC
from camforge_plugins.metrics.faithfulness.arcc import ARCC
from camforge_plugins.metrics.faithfulness.faithfulness_correlation import FaithfulnessCorrelation
from camforge_plugins.metrics.faithfulness.faithfulness_estimate import FaithfulnessEstimate
from camforge_plugins.metrics.faithfulness.infidelity import Infidelity
from camforge_plugins.metrics.faithfulness.irof import IROF
from camforge_plugins.metrics.faithfulness.monotonicity import Monotonicity
from camforge_plugins.metrics.faithfulness.monotonicity_correlation import MonotonicityCorrelation
from camforge_plugins.metrics.faithfulness.pixel_flipping import PixelFlipping
from camforge_plugins.metrics.faithfulness.region_perturbation import RegionPerturbation
from camforge_plugins.metrics.faithfulness.road import ROAD
from camforge_plugins.metrics.faithfulness.selectivity import Selectivity
from camforge_plugins.metrics.faithfulness.sensitivity_n import SensitivityN
from camforge_plugins.metrics.faithfulness.sufficiency import Sufficiency

CLOSE = pytest.approx  # of numbers that two ways of adding reach


def drawn_sets(pair: Pair, runs: int, size: int, place: int = 0) -> list[list[tuple[int, int]]]:
    """The random sets that the metric draws for a pair, as pixels."""
    seed = pair_seeds(pair.seen)[pair.index]
    width = pair.cam.shape[1]
    sets = []
    for run in range(runs):
        chosen = subsets((seed + 1_000_003 * run + 7_919 * place)[None], size, pair.cam.numel())[0]
        sets.append([divmod(i, width) for i in chosen.nonzero().flatten().tolist()])
    return sets


def set_correlation(pair: Pair, sets: list[list[tuple[int, int]]], kind: str = "logit") -> float:
    lost = [pair.score(pair.image, kind) - pair.score(pair.without(places), kind) for places in sets]
    return pearson([pair.total(places) for places in sets], lost)


@pytest.mark.parametrize("kind", ["logit", "sigmoid", "softmax"])
def test_faithfulness_correlation(kind: str) -> None:
    want = expected(lambda pair: set_correlation(pair, drawn_sets(pair, 6, 64), kind))
    assert found(FaithfulnessCorrelation(share=0.2, runs=6, score=kind)) == CLOSE(want, abs=1e-6)


def test_sensitivity_n() -> None:
    def slow(pair: Pair) -> float:
        sizes = [(0, round(0.05 * 320)), (1, round(0.5 * 320))]
        return sum(set_correlation(pair, drawn_sets(pair, 5, size, place)) for place, size in sizes) / 2

    assert found(SensitivityN(shares=(0.05, 0.5), runs=5)) == CLOSE(expected(slow), abs=1e-6)


def test_faithfulness_estimate() -> None:
    def slow(pair: Pair) -> float:
        patches = pair.patches(6)
        lost = [pair.score(pair.image, "sigmoid") - pair.score(pair.without(p), "sigmoid") for p in patches]
        return pearson([pair.total(patch) for patch in patches], lost)

    assert found(FaithfulnessEstimate(patch=6)) == CLOSE(expected(slow), abs=1e-6)


def test_a_linear_model_is_told_perfectly_by_its_own_terms() -> None:
    """What a patch adds to a linear score is what its loss costs: every correlation is 1, the infidelity 0."""
    seen = example_metric_input()
    weights = torch.randn(3, 3, 16, 20, dtype=torch.float64)

    class Linear:
        def score(self, images: torch.Tensor) -> torch.Tensor:
            return torch.einsum("nchw,kchw->nk", images.double(), weights)

    terms = torch.stack([(seen.batch.images[i].double() * weights[c]).sum(0) for i, c, _ in seen.pairs()])
    linear = MetricInput(seen.batch, terms, seen.images, seen.classes, None, Linear())
    for metric in (
        FaithfulnessEstimate(patch=5, score="logit"), FaithfulnessCorrelation(runs=8), SensitivityN(runs=8),
    ):  # fmt: skip
        assert found(metric, linear) == CLOSE(1, abs=1e-9)


def test_monotonicity_correlation() -> None:
    def slow(pair: Pair) -> float:
        seed, low, high = pair_seeds(pair.seen)[pair.index], pair.image.min(), pair.image.max()
        before, spreads, sizes = pair.score(pair.image), [], []
        for number, patch in enumerate(pair.patches(7)):
            squares = []
            for sample in range(2):
                noise = uniform((seed + 1_000_003 * (2 * number + sample))[None], pair.image.shape)[0]
                image = pair.image.clone()
                for y, x in patch:
                    image[:, y, x] = low + noise[:, y, x].float().double() * (high - low)
                squares.append((pair.score(image) - before) ** 2)
            spreads.append(np.mean(squares) / before**2)
            sizes.append(sum(abs(float(pair.cam[place])) for place in patch))
        return float(stats.spearmanr(sizes, spreads)[0])

    assert found(MonotonicityCorrelation(patch=7, samples=2)) == CLOSE(expected(slow), abs=1e-6)


def test_pixel_flipping() -> None:
    def slow(pair: Pair) -> float:
        order, curve = pair.falling(), []
        for step in range(6):
            image = pair.image.clone()
            for y, x in order[: round(step / 5 * len(order))]:
                image[:, y, x] *= -1
            curve.append(pair.score(image, "sigmoid"))
        return 100 * trapezoids(curve) / 5

    assert found(PixelFlipping(steps=5)) == CLOSE(expected(slow), rel=1e-6)


@pytest.mark.parametrize("order", ["most", "least"])
def test_region_perturbation(order: str) -> None:
    def slow(pair: Pair) -> float:
        seed = pair_seeds(pair.seen, by_class=False)[pair.index]
        noise = uniform(seed[None], pair.image.shape)[0].float().double()
        low, high = pair.image.min(), pair.image.max()
        sign = 1 if order == "least" else -1
        patches = sorted(pair.patches(5), key=lambda patch: sign * pair.total(patch))
        image, drops = pair.image.clone(), [0.0]
        for patch in patches[:4]:
            for y, x in patch:
                image[:, y, x] = low + noise[:, y, x] * (high - low)
            drops.append(pair.score(pair.image) - pair.score(image))
        return sum(drops) / 5

    assert found(RegionPerturbation(patch=5, regions=4, order=order)) == CLOSE(expected(slow), abs=1e-5)


def test_selectivity() -> None:
    def slow(pair: Pair) -> float:
        image, curve = pair.image.clone(), [pair.score(pair.image, "sigmoid")]
        for patch in sorted(pair.patches(6), key=lambda patch: -pair.total(patch)):
            image = pair.without(patch, image)
            curve.append(pair.score(image, "sigmoid"))
        return 100 * trapezoids(curve) / (len(curve) - 1)

    assert found(Selectivity(patch=6)) == CLOSE(expected(slow), rel=1e-6)


def test_irof(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(pair: Pair) -> float:
        regions = superpixels(pair.image[None].float(), 8)[0]
        means = {int(r): float(pair.cam[regions == r].mean()) for r in regions.unique()}
        image, ratios = pair.image.clone(), []
        for region in sorted(means, key=lambda r: -means[r]):
            image[:, regions == region] = 0
            ratios.append(pair.score(image, "sigmoid") / pair.score(pair.image, "sigmoid"))
        return 100 * (1 - sum(ratios) / len(ratios))

    assert found(IROF(segments=8)) == CLOSE(expected(slow), rel=1e-5)
    gaps = "camforge_plugins.metrics.faithfulness.irof.superpixels"
    monkeypatch.setattr(gaps, lambda images, count: 2 * superpixels(images, count))  # every second has no pixel
    assert found(IROF(segments=8)) == CLOSE(expected(slow), rel=1e-5)


def test_superpixels_are_clusters_of_colour_and_place() -> None:
    """Four fields of a colour each, with noise: a starting centre in each, and every region is one field."""
    image = torch.zeros(1, 3, 16, 16)
    image[:, 0, :8], image[:, 1, :, 8:] = 5.0, 5.0
    regions = superpixels(image + 0.1 * torch.randn_like(image), 4)[0]
    fields = [regions[y : y + 8, x : x + 8].unique() for y in (0, 8) for x in (0, 8)]
    assert sorted(int(field) for field in fields) == [0, 1, 2, 3]


def test_monotonicity() -> None:
    def slow(pair: Pair) -> float:
        order, scores = pair.falling(-pair.cam.abs()), []
        for step in range(1, 4):
            image = torch.zeros_like(pair.image)
            for y, x in order[: round(step / 3 * len(order))]:
                image[:, y, x] = pair.image[:, y, x]
            scores.append(pair.score(image, "sigmoid"))
        return 100.0 * all(b >= a for a, b in pairwise(scores))

    want = expected(slow)
    assert 0 < want < 100
    assert found(Monotonicity(steps=3)) == CLOSE(want)


@pytest.mark.parametrize("scaled", [True, False])
def test_infidelity(scaled: bool) -> None:
    def slow(pair: Pair) -> float:
        seed, told, cost = pair_seeds(pair.seen)[pair.index], [], []
        for run in range(5):
            size, down, right = uniform((seed + 1_000_003 * run)[None], (3,))[0].tolist()
            side = 1 + int(size * 8)
            top, left = int(down * (16 - side + 1)), int(right * (20 - side + 1))
            square = [(y, x) for y in range(top, top + side) for x in range(left, left + side)]
            told.append(sum(float(pair.image[:, y, x].sum() * pair.cam[y, x]) for y, x in square))
            cost.append(pair.score(pair.image) - pair.score(pair.without(square)))
        a, b = np.array(told), np.array(cost)
        return float(((a * ((a @ b) / (a @ a) if scaled else 1) - b) ** 2).mean())

    assert found(Infidelity(squares=5, scaled=scaled)) == CLOSE(expected(slow), rel=1e-4)


def test_sufficiency() -> None:
    pairs = list(seen_pairs())
    cells = [sorted(range(4), key=lambda c, p=p: -cell_mean(p, c)) for p in pairs]
    classes = [int(p.logits(p.image).argmax()) for p in pairs]
    shares = []
    for i, own in enumerate(cells):
        others = [j for j in range(len(pairs)) if j != i and own[0] in cells[j][:2]]
        if others:
            shares.append(100 * sum(classes[j] == classes[i] for j in others) / len(others))
    assert found(Sufficiency(grid=2, applies=2)) == CLOSE(sum(shares) / len(shares))


def cell_mean(pair: Pair, cell: int) -> float:
    """Of a 2 x 2 pooling."""
    y, x = divmod(cell, 2)
    return float(pair.cam[8 * y : 8 * y + 8, 10 * x : 10 * x + 10].mean())


def coherency(pair: Pair) -> tuple[float, float, torch.Tensor]:
    """Coherency, complexity and the masked photograph."""
    heat = pair.cam.clamp(min=0) / pair.cam.max()
    masked = pair.image * heat
    again = np.maximum(pair.map_of(masked), 0)
    again = again / again.max() if again.max() > 0 else again
    return (1 + pearson(heat.flatten().tolist(), again.flatten().tolist())) / 2, float(heat.mean()), masked


def harmonic(values: list[float]) -> float:
    return len(values) / sum(1 / max(value, 1e-8) for value in values)


def test_adcc() -> None:
    def slow(pair: Pair) -> float:
        alike, size, masked = coherency(pair)
        before, after = pair.score(pair.image, "sigmoid"), pair.score(masked, "sigmoid")
        return 100 * harmonic([alike, 1 - size, 1 - max(0.0, before - after) / before])

    assert found(ADCC()) == CLOSE(expected(slow), rel=1e-5)


def test_arcc() -> None:
    roads = ROAD(shares=(0.3, 0.6)).pair_values(example_metric_input())  # tested by itself

    def slow(pair: Pair) -> float:
        alike, size, _ = coherency(pair)
        return 100 * harmonic([alike, 1 - size, min(1.0, max(0.0, float(roads[pair.index]) / 50))])

    assert found(ARCC(shares=(0.3, 0.6))) == CLOSE(expected(slow), rel=1e-4)
    assert class_means([(0, 1.0), (0, 3.0), (1, 4.0)]) == 3
