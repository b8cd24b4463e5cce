"""The fully connected random field, against its mean field pixel by pixel."""

import math

import pytest
import torch

from camforge.api import CamForgeError, Maps
from camforge_plugins.fusers import dense_crf
from camforge_plugins.fusers.dense_crf import DenseCRF

OPTIONS = {"background": 1.5, "weight": 2.0, "position": 4.0, "colour": 0.5, "near_weight": 1.2, "near": 1.5}


def stack(values, images, photographs, labels=None):
    """Maps (P, *axes, H, W); the pairs of an image are its classes 0, 1, …"""
    order = [sum(other == image for other in images[:i]) for i, image in enumerate(images)]
    nothing = torch.zeros(len(values), 0, dtype=torch.int64)
    shown = torch.ones(len(photographs), 3).bool() if labels is None else labels
    axes = ("layer", "branch")[: values.dim() - 3]
    return Maps(
        values,
        axes,
        torch.tensor(images, dtype=torch.int64),
        torch.tensor(order, dtype=torch.int64),
        nothing.bool(),
        nothing,
        shown,
        photographs,
    )


def slow(maps, photograph, steps, background, weight, position, colour, near_weight, near):
    """The classes' maps (L, H, W) of one photograph (3, H, W), every pair of pixels one by one."""
    height, width = photograph.shape[1:]
    pixels = [(y, x) for y in range(height) for x in range(width)]
    kernels = []
    for which in ("alike", "near"):
        kernel = {}
        for p in pixels:
            for q in pixels:
                far = (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2
                unlike = sum((photograph[c, *p].item() - photograph[c, *q].item()) ** 2 for c in range(3))
                alike = -far / (2 * position**2) - unlike / (2 * colour**2)
                kernel[p, q] = math.exp(alike if which == "alike" else -far / (2 * near**2))
        total = {p: sum(kernel[p, q] for q in pixels) for p in pixels}
        kernels.append({(p, q): k / math.sqrt(total[p] * total[q]) for (p, q), k in kernel.items()})
    unary = {}
    for p in pixels:
        shares = [max(0.0, m[p].item()) / max(m.max().item(), 1e-30) for m in maps]
        strength = [s + 1e-5 for s in [(1 - max(shares)) ** background, *shares]]
        unary[p] = [math.log(s / sum(strength)) for s in strength]

    def probabilities(energies):
        scores = [math.exp(e) for e in energies]
        return [s / sum(scores) for s in scores]

    found = {p: probabilities(unary[p]) for p in pixels}
    for _ in range(steps):
        pull = {
            p: [
                sum((weight * kernels[0][p, q] + near_weight * kernels[1][p, q]) * found[q][k] for q in pixels)
                for k in range(1 + len(maps))
            ]
            for p in pixels
        }
        found = {p: probabilities([u + m for u, m in zip(unary[p], pull[p], strict=True)]) for p in pixels}
    rows = [[found[p][k] for p in pixels] for k in range(1, 1 + len(maps))]
    return torch.tensor(rows, dtype=torch.float64).view(len(maps), height, width)


@pytest.mark.parametrize("at_once", [1, 1 << 30])
def test_against_pixel_by_pixel(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(dense_crf, "AT_ONCE", at_once)
    photographs = torch.rand(3, 3, 4, 5, dtype=torch.float64)
    values = torch.randn(4, 4, 5, dtype=torch.float64)
    images = [0, 2, 2, 1]
    refined = DenseCRF(cell=1, steps=2, **OPTIONS)(stack(values, images, photographs)).values
    for image, rows in ((0, [0]), (1, [3]), (2, [1, 2])):
        expected = slow(values[rows], photographs[image], 2, **OPTIONS)
        torch.testing.assert_close(refined[rows], expected, rtol=1e-9, atol=1e-12)


def test_every_axis_is_a_field_of_its_own_and_what_the_label_lacks_takes_no_part() -> None:
    photographs = torch.rand(1, 3, 6, 6)
    values = torch.rand(3, 2, 6, 6)
    labels = torch.tensor([[True, False, True]])
    crf = DenseCRF(cell=2, **OPTIONS)
    refined = crf(stack(values, [0, 0, 0], photographs, labels)).values
    assert (refined[1] == 0).all()
    for layer in range(2):
        alone = crf(stack(values[[0, 2], layer], [0, 0], photographs)).values
        torch.testing.assert_close(refined[[0, 2], layer], alone)


def test_a_map_stops_where_the_colours_change_and_an_empty_one_stays_empty() -> None:
    photographs = torch.zeros(1, 3, 32, 32)
    photographs[..., 16:] = 1.0
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    blob = (-((y - 16) ** 2 + (x - 11) ** 2) / 60).exp()  # reaches over the edge at 16
    values = torch.stack([blob, torch.zeros(32, 32)])
    refined = DenseCRF(cell=1)(stack(values, [0, 0], photographs)).values
    inside, outside = blob[16, 15].item(), blob[16, 17].item()
    assert refined[0, 16, 15] / refined[0, 16, 17] > 2 * inside / outside
    assert (refined[1] == 0).all()


def test_no_pairs_and_no_photograph() -> None:
    crf, photographs = DenseCRF(), torch.rand(2, 3, 8, 8)
    assert crf(stack(torch.zeros(0, 8, 8), [], photographs)).values.shape == (0, 8, 8)
    maps = stack(torch.rand(1, 8, 8), [0], photographs)
    with pytest.raises(CamForgeError, match="'dense_crf' refines maps by the photograph, and none was given"):
        crf(Maps(maps.values, (), maps.images, maps.classes, maps.valid, maps.outputs, maps.labels))
