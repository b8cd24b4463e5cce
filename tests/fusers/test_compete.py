"""Classes that share the pixels of their image, against pixel-by-pixel arithmetic."""

import math

import pytest
import torch

from camforge.api import Maps
from camforge_plugins.fusers.compete import Compete
from camforge_plugins.fusers.share import Share


def maps_of(values: torch.Tensor, valid: torch.Tensor | None = None, axes: tuple[str, ...] = ()) -> Maps:
    """Three pairs: classes 0 and 2 of the first image, class 1 of the second."""
    labels = torch.tensor([[1, 0, 1], [0, 1, 0]], dtype=torch.bool)
    valid = torch.ones(3, 1, dtype=torch.bool) if valid is None else valid
    return Maps(values, axes, torch.tensor([0, 0, 1]), torch.tensor([0, 2, 1]), valid, valid.long() - 1, labels)


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_against_pixel_by_pixel(power: float) -> None:
    values = torch.randn(3, 4, 5, dtype=torch.float64)
    found = Compete(power=power)(maps_of(values)).values
    unit = [m.clamp(min=0) / m.max() for m in values]
    for y in range(4):
        for x in range(5):
            first, second = float(unit[0][y, x]), float(unit[1][y, x])
            total = first**power + second**power
            shares = (first**power / total, second**power / total) if total else (0.0, 0.0)
            assert float(found[0, y, x]) == pytest.approx(first * shares[0], abs=1e-12)
            assert float(found[1, y, x]) == pytest.approx(second * shares[1], abs=1e-12)
    torch.testing.assert_close(found[2], unit[2])  # alone in its image


def test_the_stronger_class_takes_the_pixel() -> None:
    values = torch.tensor([[[1.0, 0.4]], [[0.5, 1.0]], [[1.0, 1.0]]])
    found = Compete(power=20)(maps_of(values)).values
    assert found[0, 0].tolist() == pytest.approx([1.0, 0.0], abs=1e-4)
    assert found[1, 0].tolist() == pytest.approx([0.0, 1.0], abs=1e-4)


def test_a_view_that_a_class_does_not_have_takes_nothing() -> None:
    values = torch.ones(3, 2, 1, 1)
    valid = torch.tensor([[True, True], [True, False], [True, True]])
    found = Compete()(maps_of(values, valid, ("view",))).values
    assert found[0].flatten().tolist() == [0.5, 1.0]


@pytest.mark.parametrize("sharpness", [0.3, 2.0])
def test_shares_pixel_by_pixel(sharpness: float) -> None:
    values = torch.randn(3, 3, 4, 5, dtype=torch.float64) * 5
    found = Share(sharpness=sharpness)(maps_of(values, axes=("layer",))).values
    total = torch.zeros(3, 4, 5, dtype=torch.float64)
    for pair in range(3):
        for layer in range(2):
            total[pair] += values[pair, layer].clamp(min=0) / values[pair, layer].max()
    for y in range(4):
        for x in range(5):
            first, second = (math.exp(sharpness * float(values[pair, 2, y, x])) for pair in (0, 1))
            assert float(found[0, y, x]) == pytest.approx(float(total[0, y, x]) * first / (first + second), abs=1e-12)
            assert float(found[1, y, x]) == pytest.approx(float(total[1, y, x]) * second / (first + second), abs=1e-12)
    torch.testing.assert_close(found[2], total[2])


def test_evidence_of_any_size_stays_finite() -> None:
    values = torch.ones(3, 2, 1, 2)
    values[:, 1] = torch.tensor([[[1e4, -1e4]], [[-1e4, -3e4]], [[0.0, 0.0]]])
    found = Share()(maps_of(values, axes=("layer",))).values
    assert found.flatten(1).tolist() == [[1, 1], [0, 0], [1, 1]]


def test_one_layer_is_its_own_evidence() -> None:
    values = torch.rand(3, 1, 2, 2)
    twice = torch.cat([values, values], 1)
    one, two = (Share()(maps_of(v, axes=("layer",))).values for v in (values, twice))
    torch.testing.assert_close(one, two)
