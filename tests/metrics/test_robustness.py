"""Metrics of robustness against their equations, pair by pair."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from slow import Pair, expected, found, seen_pairs
from torch import Tensor

from camforge.api import CamForgeError
from camforge.testing import example_metric_input
from camforge_plugins.metrics.common.draws import pair_seeds, uniform
from camforge_plugins.metrics.robustness.avg_sensitivity import AvgSensitivity
from camforge_plugins.metrics.robustness.consistency import Consistency
from camforge_plugins.metrics.robustness.continuity import Continuity
from camforge_plugins.metrics.robustness.local_lipschitz import LocalLipschitz
from camforge_plugins.metrics.robustness.max_sensitivity import MaxSensitivity
from camforge_plugins.metrics.robustness.relative_input_stability import RelativeInputStability
from camforge_plugins.metrics.robustness.relative_output_stability import RelativeOutputStability
from camforge_plugins.metrics.robustness.relative_representation_stability import RelativeRepresentationStability

RUNS, RADIUS = 3, 0.2
OPTIONS = {"samples": RUNS, "radius": RADIUS}


def noisy(pair: Pair) -> list[Tensor]:
    """The photographs with the noise that the metrics draw, at the photograph's precision."""
    seed = pair_seeds(pair.seen, by_class=False)[pair.index]
    noise = [uniform((seed + 1_000_003 * run)[None], pair.image.shape)[0] for run in range(RUNS)]
    return [(pair.image.float() + RADIUS * (2 * one - 1).float()).double() for one in noise]


def changes(pair: Pair) -> list[float]:
    cam = pair.cam.numpy()
    return [float(np.linalg.norm(pair.map_of(image) - cam) / np.linalg.norm(cam)) for image in noisy(pair)]


def test_sensitivities() -> None:
    assert found(MaxSensitivity(**OPTIONS)) == pytest.approx(expected(lambda p: max(changes(p))), rel=1e-5)
    assert found(AvgSensitivity(**OPTIONS)) == pytest.approx(expected(lambda p: sum(changes(p)) / RUNS), rel=1e-5)


@pytest.mark.parametrize("relative", [True, False])
def test_local_lipschitz(relative: bool) -> None:
    def slow(pair: Pair) -> float:
        steps = [float((image - pair.image).norm()) for image in noisy(pair)]
        scale = 1.0 if relative else float(pair.cam.norm())
        return max(scale * change / step for change, step in zip(changes(pair), steps, strict=True))

    assert found(LocalLipschitz(relative=relative, **OPTIONS)) == pytest.approx(expected(slow), rel=1e-5)


def ratio(before: np.ndarray, after: np.ndarray, zeros: str) -> float:
    """|(before - after) / before|, place by place."""
    total = 0.0
    for b, a in zip(before.flatten(), after.flatten(), strict=True):
        if b != 0 or zeros == "smallest":
            total += ((b - a) / (b if b != 0 else 1e-6)) ** 2
    return total**0.5


def worst(pair: Pair, zeros: str, distance: object) -> float:
    same = int(pair.logits(pair.image).argmax())
    found_ratios = [
        ratio(pair.cam.numpy(), pair.map_of(image), zeros) / max(distance(pair, image), 1e-6)
        for image in noisy(pair) if int(pair.logits(image).argmax()) == same
    ]  # fmt: skip
    return max(found_ratios, default=float("nan"))


def features(image: Tensor) -> np.ndarray:
    """The example network's last stage, by its own modules."""
    from camforge.testing import example_network

    body = example_network(3).double().body
    with torch.no_grad():
        return body[:9](image[None]).flatten().numpy()


@pytest.mark.parametrize("zeros", ["leave out", "smallest"])
def test_relative_stabilities(zeros: str) -> None:
    seen = example_metric_input()
    seen = replace(seen, maps=seen.maps.relu())  # has zeros
    cases = {
        RelativeInputStability: lambda p, image: ratio(p.image.numpy(), image.numpy(), "smallest"),
        RelativeOutputStability: lambda p, image: float(np.linalg.norm(p.logits(p.image) - p.logits(image))),
        RelativeRepresentationStability: lambda p, image: ratio(features(p.image), features(image), zeros),
    }
    for metric, distance in cases.items():
        want = expected(lambda pair, distance=distance: worst(pair, zeros, distance), seen)
        assert found(metric(zeros=zeros, **OPTIONS), seen) == pytest.approx(want, rel=1e-4)


def test_maps_of_zeros_tell_nothing() -> None:
    seen = example_metric_input()
    dark = replace(seen, maps=torch.zeros_like(seen.maps))
    for metric in (MaxSensitivity(**OPTIONS), RelativeOutputStability(**OPTIONS), Continuity(steps=1)):
        with pytest.raises(CamForgeError, match=f"'{metric.name}' from: its number is not defined for any map"):
            found(metric, dark)


def test_continuity() -> None:
    def slow(pair: Pair) -> float:
        slopes = []
        for step in (1, 2):
            moved = torch.zeros_like(pair.image)
            for x in range(step, pair.image.shape[2]):
                moved[:, :, x] = pair.image[:, :, x - step]
            change = float(np.abs(pair.map_of(moved) - pair.cam.numpy()).sum())
            slopes.append(change / float((moved - pair.image).norm()))
        return max(slopes) / float(pair.cam.abs().sum())

    assert found(Continuity(steps=2)) == pytest.approx(expected(slow), rel=1e-5)


def test_consistency() -> None:
    """Sixteen maps in a set, so that some share their two highest cells of 2 x 2."""
    seen = example_metric_input(9)
    pairs = list(seen_pairs(seen))
    words = []
    for pair in pairs:
        cells = {
            (y, x): float(pair.cam[8 * y : 8 * y + 8, 10 * x : 10 * x + 10].mean()) for y in (0, 1) for x in (0, 1)
        }
        words.append(frozenset(sorted(cells, key=lambda cell, cells=cells: -cells[cell])[:2]))
    classes = [int(pair.logits(pair.image).argmax()) for pair in pairs]
    shares = []
    for i in range(len(pairs)):
        others = [j for j in range(len(pairs)) if j != i and words[j] == words[i]]
        if others:
            shares.append(100 * sum(classes[j] == classes[i] for j in others) / len(others))
    assert len(shares) > 0
    assert found(Consistency(grid=2), seen) == pytest.approx(sum(shares) / len(shares))
