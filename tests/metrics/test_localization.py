"""Localization errors, the pointing game and energy."""

import numpy as np
import pytest
import torch
from made import box_map, measured, metric_input, random_metric_input

from camforge.api import CamForgeError
from camforge_plugins.metrics.localization.energy import Energy
from camforge_plugins.metrics.localization.localization import Localization
from camforge_plugins.metrics.localization.pointing_game import PointingGame


def test_reference_records(vectors):
    """Each record as an image: its ranking as logits, and a map whose box has the record's IoU with the true one."""
    records = vectors["loc"]["rec"]
    logits = torch.zeros(len(records), 6)
    for i, record in enumerate(records):
        logits[i, record["rank"]] = torch.arange(6, 0, -1).float()
    labels = [[int(c == record["gt"]) for c in range(6)] for record in records]
    # the true box is 10 x 10; a box over the first n of its rows has IoU n / 10
    maps = {(i, r["gt"]): box_map([[2, 3, 12, 3 + round(10 * r["iou_gt"])]], 16, 16) for i, r in enumerate(records)}
    boxes = {(i, record["gt"]): [[2, 3, 12, 13]] for i, record in enumerate(records)}
    numbers = measured(Localization(), metric_input(maps, labels, boxes=boxes, logits=logits))
    assert numbers["top1_loc_error"] == 100 * vectors["loc"]["top1_err"]
    assert numbers["top5_loc_error"] == 100 * vectors["loc"]["top5_err"]
    assert numbers["gtknown_loc_error"] == 100 * vectors["loc"]["gtknown_err"]
    ranks = [record["rank"].index(record["gt"]) for record in records]
    assert numbers["top1_cls_error"] == 100 * np.mean([rank >= 1 for rank in ranks])
    assert numbers["top5_cls_error"] == 100 * np.mean([rank >= 5 for rank in ranks])
    assert next(iter(numbers)) == "top1_loc_error"


def test_numbers_are_over_images_not_over_classes():
    """Three images of class a found, one of class b missed: 25 %, not the mean of 0 and 100."""
    hit, miss = box_map([[0, 0, 4, 4]], 8, 8), box_map([[4, 4, 8, 8]], 8, 8)
    maps = {(0, 0): hit, (1, 0): hit, (2, 0): hit, (3, 1): miss}
    boxes = {pair: [[0, 0, 4, 4]] for pair in maps}
    seen = metric_input(maps, [[1, 0]] * 3 + [[0, 1]], boxes=boxes, logits=torch.tensor([[1.0, 0.0]] * 4))
    numbers = measured(Localization(), seen)
    assert numbers["gtknown_loc_error"] == numbers["top1_loc_error"] == 25
    assert numbers["gtknown_loc_error/a"] == 0
    assert numbers["gtknown_loc_error/b"] == numbers["top1_cls_error/b"] == 100
    assert numbers["top5_cls_error"] == 0


def test_errors_have_the_precision_of_a_float64():
    hit, miss = box_map([[0, 0, 4, 4]], 8, 8), box_map([[4, 4, 8, 8]], 8, 8)
    maps = {(0, 0): hit, (1, 0): miss, (2, 0): miss}
    boxes = {pair: [[0, 0, 4, 4]] for pair in maps}
    numbers = measured(Localization(), metric_input(maps, [[1]] * 3, boxes=boxes, logits=torch.zeros(3, 1)))
    assert numbers["top1_loc_error"] == numbers["gtknown_loc_error/a"] == pytest.approx(200 / 3, abs=1e-12)


def test_without_logits_only_gt_known():
    seen = metric_input({(0, 0): torch.ones(8, 8)}, [[1]], boxes={(0, 0): [[0, 0, 8, 8]]})
    assert measured(Localization(), seen) == {"gtknown_loc_error": 0.0, "gtknown_loc_error/a": 0.0}
    with pytest.raises(CamForgeError, match="metric 'localization' needs boxes"):
        measured(Localization(), metric_input({(0, 0): torch.ones(8, 8)}, [[1]]))


def test_of_equal_logits_the_lower_class_comes_first():
    maps = {(0, 0): torch.ones(4, 4), (1, 1): torch.ones(4, 4)}
    boxes = {pair: [[0, 0, 4, 4]] for pair in maps}
    numbers = measured(Localization(), metric_input(maps, [[1, 0], [0, 1]], boxes=boxes, logits=torch.zeros(2, 2)))
    assert numbers["top1_cls_error/a"] == 0
    assert numbers["top1_cls_error/b"] == 100


def test_pointing_by_hand():
    masks = torch.zeros(3, 6, 6, dtype=torch.uint8)
    masks[:, 2:4, 2:4] = 1
    on, beside = torch.zeros(6, 6), torch.zeros(6, 6)
    on[3, 3], beside[3, 5] = 1.0, 1.0
    boxes = {(i, 0): [[2, 2, 4, 4]] for i in range(3)}
    seen = metric_input({(0, 0): on, (1, 0): beside, (2, 0): torch.ones(6, 6)}, [[1]] * 3, masks, boxes)
    for truth in ("mask", "box"):
        assert measured(PointingGame(truth=truth), seen)["pointing_game"] == pytest.approx(100 / 3)
        assert measured(PointingGame(truth=truth, tolerance=1.9), seen)["pointing_game"] == pytest.approx(100 / 3)
        assert measured(PointingGame(truth=truth, tolerance=2), seen)["pointing_game"] == pytest.approx(200 / 3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("truth", ["mask", "box"])
def test_pointing_and_energy_map_by_map(seed, truth):
    seen = random_metric_input(seed)
    hits, shares = {}, []
    for i, c, values in seen.pairs():
        cam = values.double().numpy()
        region = seen.batch.masks[i].numpy() == 1 + c
        if truth == "box":
            region = np.zeros_like(region)
            for (x0, y0, x1, y1), k in zip(seen.batch.boxes[i].int().tolist(), seen.batch.box_classes[i], strict=True):
                if k == c:
                    region[y0:y1, x0:x1] = True
        y, x = np.unravel_index(cam.argmax(), cam.shape)
        hits.setdefault(c, []).append(any(np.hypot(y - v, x - u) <= 1.5 for v, u in np.argwhere(region)))
        energy = np.maximum(cam, 0)
        shares.append((energy * region).sum() / energy.sum())
    pointing = measured(PointingGame(truth=truth, tolerance=1.5), seen)["pointing_game"]
    assert pointing == pytest.approx(100 * np.mean([np.mean(h) for h in hits.values()]), abs=1e-9)
    energy = measured(Energy(truth=truth), seen)["energy"]
    assert energy == pytest.approx(100 * np.mean(shares), abs=1e-6)


def test_a_map_without_energy_has_share_0():
    seen = metric_input({(0, 0): -torch.ones(4, 4)}, [[1]], boxes={(0, 0): [[0, 0, 4, 4]]})
    assert measured(Energy(), seen) == {"energy": 0.0, "energy/a": 0.0}


def test_missing_truth_is_named():
    seen = metric_input({(0, 0): torch.ones(4, 4)}, [[1]])
    for metric in (Energy(), PointingGame(truth="box")):
        with pytest.raises(CamForgeError, match=f"metric '{metric.name}' needs a box of a labelled class"):
            measured(metric, seen)
    with pytest.raises(CamForgeError, match="metric 'pointing_game' needs class masks"):
        PointingGame().update(seen)
