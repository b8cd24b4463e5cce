"""Refinement along the photograph, against pixel-by-pixel arithmetic."""

import math

import pytest
import torch

from camforge.api import CamForgeError, Maps
from camforge_plugins.fusers.pamr import PAMR


def stack(values, photographs):
    """Maps (P, *axes, H, W) of photographs; pair i shows image i modulo their number."""
    pairs = torch.arange(len(values))
    nothing = torch.zeros(len(values), 0, dtype=torch.int64)
    count = 1 if photographs is None else len(photographs)
    axes = ("view", "branch")[: values.dim() - 3]
    return Maps(
        values, axes, pairs % count, pairs * 0, nothing.bool(), nothing, torch.ones(count, 1).bool(), photographs
    )


def slow(values, photograph, dilations, iterations, width):
    """One map (H, W) of one photograph (3, H, W), element by element."""
    height, size = values.shape
    offsets = [(d * y, d * x) for d in dilations for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]

    def inside(i, j):
        return min(max(i, 0), height - 1), min(max(j, 0), size - 1)

    for _ in range(iterations):
        out = torch.zeros_like(values)
        for i in range(height):
            for j in range(size):
                around = [inside(i + y, j + x) for y, x in offsets]
                colours = [[photograph[c, a, b].item() for a, b in [(i, j), *around]] for c in range(3)]
                scores = []
                for place in range(1, 1 + len(around)):
                    total = 0.0
                    for channel in colours:
                        blocks = channel + [channel[0]] * (len(dilations) - 1)  # 3 x 3 each, all with their centre
                        mean = sum(blocks) / len(blocks)
                        sigma = math.sqrt(sum((v - mean) ** 2 for v in blocks) / (len(blocks) - 1))
                        total += abs(channel[place] - channel[0]) / (1e-8 + width * sigma)
                    scores.append(-total / 3)
                weights = [math.exp(s - max(scores)) for s in scores]
                out[i, j] = sum(w * values[a, b].item() for w, (a, b) in zip(weights, around, strict=True)) / sum(
                    weights
                )
        values = out
    return values


@pytest.mark.parametrize("axes", [(), (2,), (2, 2)])
def test_against_pixel_by_pixel(axes: tuple[int, ...]) -> None:
    photographs = torch.rand(2, 3, 7, 6)
    values = torch.randn(3, *axes, 7, 6, dtype=torch.float64)
    refined = PAMR(dilations=(1, 3), iterations=2, width=0.3)(stack(values, photographs)).values
    assert refined.shape == values.shape
    flat, made = values.flatten(1, -3) if axes else values[:, None], refined.reshape(3, -1, 7, 6)
    for pair in range(3):
        for k in range(flat.shape[1]):
            expected = slow(flat[pair, k], photographs[pair % 2].double(), (1, 3), 2, 0.3)
            assert torch.allclose(made[pair, k], expected, atol=1e-5)


def test_a_map_spreads_to_the_edge_of_its_object() -> None:
    photograph = torch.zeros(1, 3, 32, 32)
    photograph[..., 8:24, 8:24] = 1.0
    values = torch.zeros(1, 32, 32)
    values[0, 14:18, 14:18] = 1.0  # the discriminative part
    refined = PAMR(dilations=(1, 2, 4))(stack(values, photograph)).values[0]
    assert refined[8:24, 8:24].min() > 10 * refined[:, 26:].max()
    assert refined.sum() == pytest.approx(values.sum(), rel=0.5)


def test_without_a_photograph() -> None:
    with pytest.raises(CamForgeError, match="'pamr' refines maps by the photograph"):
        PAMR()(stack(torch.rand(1, 4, 4), None))
