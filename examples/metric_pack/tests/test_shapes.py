"""CamForge's contracts, run on the metrics, and numbers that are known without them."""

import math

import pytest
import torch
from camforge_shapes import PeakShare, Roughness, Spread

from camforge.testing import MetricContract


class TestPeakShare(MetricContract):
    cases = (PeakShare(), PeakShare(percent=50))


class TestRoughness(MetricContract):
    cases = (Roughness(),)


class TestSpread(MetricContract):
    cases = (Spread(),)


def test_a_flat_map():
    flat = torch.ones(1, 10, 10, dtype=torch.float64)
    assert float(PeakShare(percent=5).of(flat)) == pytest.approx(5)
    assert float(Roughness().of(flat)) == 0
    variance = 2 * (10**2 - 1) / 12  # of ten equal steps, in both directions
    assert float(Spread().of(flat)) == pytest.approx(100 * math.sqrt(variance / 200))


def test_a_single_pixel():
    one = torch.zeros(1, 4, 4, dtype=torch.float64)
    one[0, 1, 1] = 7
    assert float(PeakShare(percent=1).of(one)) == 100
    assert float(Roughness().of(one)) == pytest.approx(4 / 24)  # four steps of 1 among 24 pairs of neighbours
    assert float(Spread().of(one)) == 0


def test_two_pixels_are_spread_by_half_their_distance():
    two = torch.zeros(1, 3, 5, dtype=torch.float64)
    two[0, 0, 0] = two[0, 0, 4] = 1
    assert float(Spread().of(two)) == pytest.approx(100 * 2 / math.sqrt(34))


def test_no_map_no_number():
    assert math.isnan(Spread().compute(torch.zeros(2, dtype=torch.float64), ())["spread"])
