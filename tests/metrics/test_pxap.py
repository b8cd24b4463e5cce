"""PxAP against the reference numbers and the authors' histograms."""

import numpy as np
import pytest
import torch
from made import measured, metric_input, random_metric_input
from wsol_direct import pixel_average_precision, pixel_histograms

from camforge.api import CamForgeError
from camforge_plugins.metrics.common.grid import grid_bins, grid_edges
from camforge_plugins.metrics.localization import pxap
from camforge_plugins.metrics.localization.pxap import PxAP


@pytest.mark.parametrize(("step", "key"), [(0.1, "i0.1"), (0.001, "i0.001"), (0.001, "authors_i0.001")])
def test_reference_numbers(vectors, step, key):
    masks = torch.tensor(vectors["pxap"]["masks"], dtype=torch.uint8)
    maps = {(i, 0): torch.tensor(vectors["wsol_box"][n], dtype=torch.float64) for i, n in enumerate(("sc1", "sc2"))}
    assert measured(PxAP(step=step), metric_input(maps, [[1], [1]], masks)) == {
        "pxap": pytest.approx(vectors["pxap"][key], abs=1e-12)
    }


def test_perfect_and_constant_maps(vectors):
    masks = torch.tensor(vectors["pxap"]["masks"], dtype=torch.uint8)
    perfect = {(i, 0): (masks[i] == 1).float() for i in range(2)}
    assert measured(PxAP(), metric_input(perfect, [[1], [1]], masks))["pxap"] == vectors["pxap"]["perfect"]
    constant = metric_input({(0, 0): torch.full((8, 8), 0.3)}, [[1]], masks[1:])
    assert measured(PxAP(), constant)["pxap"] == vectors["pxap"]["constant"]
    assert vectors["pxap"]["pos_fraction_m2"] == 100 * float((masks[1] == 1).float().mean())


@pytest.mark.parametrize("step", [0.001, 0.1, 0.03])
def test_histograms_are_the_authors(step):
    for seed in range(4):
        seen = random_metric_input(seed, size=24)
        edges = len(np.arange(0, 1, step))
        want = np.zeros((2, edges + 2))
        for image, c, values in seen.pairs():
            mask = seen.batch.masks[image].numpy()
            own = np.where(mask == 255, 255, mask == 1 + c)
            want += pixel_histograms(values.numpy(), own, step)
        total = PxAP(step=step).update(seen)
        assert total.tolist() == want[:, :-1].tolist()
        assert measured(PxAP(step=step), seen)["pxap"] == pytest.approx(pixel_average_precision(want), abs=1e-9)


@pytest.mark.parametrize("step", [0.001, 0.0001])
def test_parts_leave_nothing_behind(step, monkeypatch):
    """Two maps at a time, the last alone: each pixel counts once, where it belongs."""
    monkeypatch.setattr(pxap, "CACHED", 2 * 24 * 24)
    seen = random_metric_input(3, images=5, classes=4, size=24)
    assert len(seen.maps) % 2 == 1
    assert len(seen.maps) > 4
    want = np.zeros((2, len(np.arange(0, 1, step)) + 2))
    for image, c, values in seen.pairs():
        mask = seen.batch.masks[image].numpy()
        want += pixel_histograms(values.numpy(), np.where(mask == 255, 255, mask == 1 + c), step)
    assert PxAP(step=step).update(seen).tolist() == want[:, :-1].tolist()


@pytest.mark.parametrize("step", [0.001, 0.01, 0.1, 0.3, 0.007])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_at_and_beside_every_edge(step, dtype):
    exact = np.append(np.arange(0, 1, step), 1.0)
    assert grid_edges(step).tolist() == exact[:-1].tolist()
    edges = torch.tensor(exact).to(dtype)
    beside = [edges]
    for _ in range(3):
        beside += [torch.nextafter(beside[0], edges - 1), torch.nextafter(beside[-1], edges + 1)]
    values = torch.cat([*beside, torch.rand(500, dtype=dtype)]).clamp(0, 1)
    want = np.searchsorted(exact, values.double().numpy(), side="right") - 1
    assert grid_bins(values, step).tolist() == want.tolist()


def test_no_pixel_of_any_class_is_named():
    seen = metric_input({(0, 0): torch.rand(8, 8)}, [[1]], torch.zeros(1, 8, 8, dtype=torch.uint8))
    with pytest.raises(CamForgeError, match="metric 'pxap': no mask that it was given shows a pixel"):
        measured(PxAP(), seen)
