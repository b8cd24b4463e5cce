"""Metrics of randomization against their definitions, pair by pair."""

import numpy as np
import pytest
from scipy import stats
from slow import Pair, expected, found, pearson
from torch import Tensor

from camforge.measuring.randomised import weighted_layers, without_weights
from camforge.testing import example_metric_input, example_network
from camforge_plugins.metrics.common.draws import normal, pair_seeds, uniform
from camforge_plugins.metrics.randomization.efficient_mprt import EfficientMPRT
from camforge_plugins.metrics.randomization.mprt import MPRT
from camforge_plugins.metrics.randomization.random_logit import RandomLogit
from camforge_plugins.metrics.randomization.smooth_mprt import SmoothMPRT


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    return 0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(stats.spearmanr(a.flatten(), b.flatten())[0])


def forgetful(share: float, output_first: bool = True) -> object:
    """The example's model without a share of its layers."""
    model = example_metric_input().model
    layers = model.weighted_layers if output_first else model.weighted_layers[::-1]
    return model.with_random_weights(layers[: round(share * len(layers))])


def test_a_network_forgets_what_it_is_told_to_and_nothing_else() -> None:
    network = example_network(3)
    layers = weighted_layers(network)
    assert layers == ("body.11", "body.7", "body.6", "body.4", "body.3", "body.1", "body.0")
    lost = without_weights(network, layers[:2], seed=1)
    before, after = network.state_dict(), lost.state_dict()
    changed = {name.rpartition(".")[0] for name in before if not before[name].equal(after[name])}
    assert changed == {"body.11", "body.7"}
    again, more = (without_weights(network, some, seed=1).state_dict() for some in (layers[:2], layers[:4]))
    assert all(after[name].equal(again[name]) for name in after)
    assert all(after[name].equal(more[name]) for name in after if name.startswith(("body.11", "body.7")))
    other = without_weights(network, layers[:1], seed=2).state_dict()
    assert not after["body.11.weight"].equal(other["body.11.weight"])


def test_mprt() -> None:
    models = [forgetful(1 / 2), forgetful(1)]

    def slow(pair: Pair) -> float:
        return sum(spearman(pair.cam.numpy(), pair.map_of(pair.image, model=model)) for model in models) / 2

    assert found(MPRT(steps=2)) == pytest.approx(expected(slow), abs=1e-6)


def test_smooth_mprt() -> None:
    models = [forgetful(1 / 2, False), forgetful(1, False)]

    def smooth(pair: Pair, model: object) -> np.ndarray:
        seed = pair_seeds(pair.seen, by_class=False)[pair.index]
        noise = [normal((seed + 1_000_003 * run)[None], pair.image.shape)[0] for run in range(3)]
        return sum(pair.map_of((pair.image.float() + 0.2 * one.float()).double(), model=model) for one in noise) / 3

    def slow(pair: Pair) -> float:
        before = smooth(pair, pair.seen.model)
        if not before.any():
            return float("nan")  # a map of zeros tells nothing
        return sum(pearson(before.flatten().tolist(), smooth(pair, m).flatten().tolist()) for m in models) / 2

    metric = SmoothMPRT(steps=2, samples=3, measure="pearson")
    assert found(metric) == pytest.approx(expected(slow), abs=1e-5)


def test_efficient_mprt() -> None:
    lost = forgetful(1)

    def entropy(values: np.ndarray) -> float:
        count, _ = np.histogram(values, bins=10, range=(values.min(), values.max()))
        return float(stats.entropy(count / count.sum()))

    def slow(pair: Pair) -> float:
        before, after = entropy(pair.cam.numpy()), entropy(pair.map_of(pair.image, model=lost))
        return (after - before) / before

    assert found(EfficientMPRT(bins=10)) == pytest.approx(expected(slow), abs=1e-6)


def test_random_logit() -> None:
    def slow(pair: Pair) -> float:
        drawn = uniform(pair_seeds(pair.seen)[pair.index][None], ())
        other = (pair.label + 1 + int(drawn * 2)) % 3
        assert other != pair.label
        return pearson(pair.cam.flatten().tolist(), pair.map_of(pair.image, other).flatten().tolist())

    assert found(RandomLogit(measure="pearson")) == pytest.approx(expected(slow), abs=1e-6)


def test_a_map_that_looks_at_no_network_stays_alike() -> None:
    class Blind:
        weighted_layers = ("a", "b")

        def maps(self, images: Tensor, *_: Tensor) -> Tensor:
            return images.mean(1)

        def with_random_weights(self, *_: object) -> "Blind":
            return self

    from dataclasses import replace

    seen = example_metric_input()
    blind = replace(seen, maps=seen.batch.images[seen.images].mean(1), model=Blind())
    for metric in (MPRT(), MPRT(measure="ssim"), RandomLogit(), RandomLogit(measure="spearman")):
        assert found(metric, blind) == pytest.approx(1)
    assert found(EfficientMPRT(), blind) == pytest.approx(0)
