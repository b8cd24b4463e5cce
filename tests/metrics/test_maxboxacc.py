"""MaxBoxAcc and MaxBoxAccV2 against the reference numbers and the authors' loop."""

import numpy as np
import pytest
import torch
from made import measured, metric_input
from torch.nn.functional import interpolate
from wsol_direct import box_counts, boxes_at_thresholds, normalised

from camforge.api import CamForgeError, MetricInput
from camforge_plugins.metrics.common.contours import contour_boxes
from camforge_plugins.metrics.common.foreground import byte_levels
from camforge_plugins.metrics.localization.maxboxacc import MaxBoxAcc, whole_pixels


def vector_input(vectors: dict) -> MetricInput:
    """The two score maps (float64) and their true boxes."""
    vector = vectors["wsol_box"]
    maps = {(i, 0): torch.tensor(vector[name], dtype=torch.float64) for i, name in enumerate(("sc1", "sc2"))}
    return metric_input(maps, [[1], [1]], boxes={(0, 0): vector["gt"]["a"], (1, 0): vector["gt"]["b"]})


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize("step", [0.1, 0.001])
def test_reference_numbers(vectors, multi, step):
    want = vectors["wsol_box"][f"i{step}_{'multi' if multi else 'single'}"]
    numbers = measured(MaxBoxAcc(multi_contour=multi, step=step), vector_input(vectors))
    for overlap in ("30", "50", "70"):
        assert numbers[f"maxboxacc@{overlap}"] == want["MaxBoxAcc@"][overlap]
        assert numbers[f"maxboxacc@{overlap}_threshold"] == want["argmax_tau"][overlap]
    assert np.mean([numbers[f"maxboxacc@{o}"] for o in (30, 50, 70)]) == pytest.approx(want["V2"], abs=1e-12)
    headline = want["V2"] if multi else want["MaxBoxAcc@"]["50"]
    assert next(iter(numbers.items())) == ("maxboxacc_v2" if multi else "maxboxacc", pytest.approx(headline, abs=1e-12))


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize(("image", "key"), [("a", "sc1"), ("b", "sc2")])
def test_reference_boxes(vectors, multi, image, key):
    vector = vectors["wsol_box"]
    detail = vector[f"i0.1_{'multi' if multi else 'single'}"]["detail"][image]
    levels = byte_levels(torch.tensor(vector[key], dtype=torch.float64)[None])[0]
    boxes, owner, values = contour_boxes(levels, largest=not multi)
    metric = MaxBoxAcc(multi_contour=multi, step=0.1)
    best = metric._best_overlaps(levels, torch.tensor(vector["gt"][image]))
    assert best.tolist() == pytest.approx(detail["best_iou"], abs=1e-9)
    for step, want in enumerate(detail["boxes"]):
        place = int((values <= int(step * 0.1 * 255)).sum()) - 1
        assert sorted(boxes[owner == place].tolist()) == sorted(want)


def test_reference_box_at_a_fifth(vectors):
    levels = byte_levels(torch.tensor(vectors["wsol_box"]["sc1"], dtype=torch.float64)[None])[0]
    boxes, owner, values = contour_boxes(levels, largest=True)
    assert boxes[owner == int((values <= 51).sum()) - 1].tolist() == vectors["boxes"]["wsol_0.2"]


def made_maps(kind: str, seed: int) -> torch.Tensor:
    """(3, 24, 20) float32 maps: smooth and rectified, rough, noise of few levels, or 8-bit plateaus with holes."""
    g = torch.Generator().manual_seed(seed)
    if kind == "smooth":
        return interpolate(torch.randn(1, 3, 4, 4, generator=g).relu(), size=(24, 20), mode="bilinear")[0]
    if kind == "rough":
        return interpolate(torch.randn(1, 3, 12, 10, generator=g), size=(24, 20), mode="bilinear")[0]
    if kind == "noise":
        return torch.rand(3, 24, 20, generator=g)
    return torch.randint(0, 4, (3, 24, 20), generator=g).float()


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize("kind", ["smooth", "rough", "noise", "plateaus"])
@pytest.mark.parametrize("seed", range(2))
def test_equal_to_the_authors_loop(kind, seed, multi):
    maps, step = made_maps(kind, seed), 0.004
    g = torch.Generator().manual_seed(seed + 10)
    corners = torch.randint(0, 10, (3, 2, 2), generator=g)
    true = torch.cat([corners, corners + torch.randint(2, 11, (3, 2, 2), generator=g)], 2)
    seen = metric_input(
        {(i, 0): maps[i] for i in range(3)}, [[1]] * 3, boxes={(i, 0): true[i].tolist() for i in range(3)}
    )
    want = sum(box_counts(maps[i].numpy(), true[i].numpy(), step, multi).astype(int) for i in range(3))
    total = MaxBoxAcc(multi_contour=multi, step=step).update(seen)
    assert total[:-1].tolist() == want.tolist()
    assert total[-1, :2].tolist() == [3, 6]


@pytest.mark.parametrize("multi", [True, False])
@pytest.mark.parametrize("kind", ["rough", "noise", "plateaus"])
def test_every_box_is_the_authors(kind, multi):
    """Not only the best: all boxes of all 255 masks."""
    for cam in made_maps(kind, 7):
        boxes, owner, values = contour_boxes(byte_levels(cam[None])[0], largest=not multi)
        thresholds = (np.arange(255) + 0.5) / 255
        for level, want in enumerate(boxes_at_thresholds(normalised(cam.numpy()), thresholds, multi)):
            mine = boxes[owner == int((values <= level).sum()) - 1]
            assert sorted(mine.tolist()) == sorted(want.tolist())


@pytest.mark.parametrize("true", [[[0, 0, 1, 0]], [[3, 3, 6, 6]]])
def test_a_constant_map_has_the_authors_empty_box(true):
    seen = metric_input({(0, 0): torch.full((8, 8), 0.7)}, [[1]], boxes={(0, 0): true})
    want = box_counts(np.full((8, 8), 0.7), np.array(true), 0.01, True)
    assert MaxBoxAcc(step=0.01).update(seen)[:-1].bool().tolist() == want.tolist()


def test_true_boxes_are_cut_like_the_authors():
    """375 * 224 / 375 is 224 in float64; by way of a float32 scale it is 223.99998. 1 stays 0.59."""
    scaled = torch.tensor([[1, 0, 375, 3]]) * torch.tensor(224 / 375)
    assert float(scaled[0, 2]) < 224
    assert whole_pixels(scaled.double()).tolist() == [[int(x * 224.0 / 375) for x in (1, 0, 375, 3)]]


def test_a_class_without_a_box_is_a_miss():
    box = torch.zeros(8, 8)
    box[2:5, 2:5] = 1
    seen = metric_input({(0, 0): box, (1, 0): box}, [[1], [1]], boxes={(0, 0): [[2, 2, 5, 5]]})
    assert measured(MaxBoxAcc(step=0.1), seen)["maxboxacc_v2"] == 50
    with pytest.raises(CamForgeError, match="metric 'maxboxacc' needs boxes"):
        measured(MaxBoxAcc(step=0.1), metric_input({(0, 0): box}, [[1]]))
