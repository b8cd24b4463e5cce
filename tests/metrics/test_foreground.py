"""Masks from maps: Otsu's level against OpenCV, and the rule of twice the mean."""

import cv2
import numpy as np
import pytest
import torch
from made import random_metric_input
from torch.nn.functional import interpolate

from camforge_plugins.metrics.common.foreground import byte_levels, foreground, otsu_level


def test_reference_level(vectors):
    vector = vectors["otsu"]
    image = torch.tensor([vector["img"]], dtype=torch.uint8)
    assert otsu_level(image).tolist() == [vector["cv2"]] == [vector["numpy_first_max"]]
    assert int((image > otsu_level(image)).sum()) == vector["mask_gt_sum"]
    assert int(foreground(image.float(), "otsu").sum()) == vector["mask_gt_sum"]


def test_reference_corner_cases(vectors):
    """Two values: OpenCV's level 0. A constant map: its level is 0 whatever the map, and the mask has to be empty."""
    two = torch.zeros(1, 4, 4, dtype=torch.uint8)
    two[0, 1:3, 1:3] = 255
    assert otsu_level(two).tolist() == [vectors["otsu"]["two_valued_0_255_cv2"]]
    assert foreground(two.float(), "otsu").sum() == 4
    assert vectors["otsu"]["const_map_cv2"] == vectors["otsu"]["zeros_cv2"] == 0
    for value in (0.0, 0.7, -2.0):
        assert not foreground(torch.full((1, 4, 4), value), "otsu").any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("side", [3, 7, 40])
def test_masks_are_opencvs(seed, side):
    g = torch.Generator().manual_seed(seed)
    maps = interpolate(torch.randn(6, 1, side, side, generator=g), size=(40, 40), mode="bilinear")[:, 0]
    masks = foreground(maps, "otsu")
    for cam, mask in zip(maps.numpy(), masks, strict=True):
        image = ((cam - cam.min()) / (cam - cam.min()).max() * 255).astype(np.uint8)
        want = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1] > 0
        assert mask.tolist() == want.tolist()


def test_levels_of_a_batch_are_each_maps_own():
    maps = random_metric_input(1).maps
    together = otsu_level(byte_levels(maps))
    assert together.tolist() == [int(otsu_level(byte_levels(cam[None]))) for cam in maps]


def test_twice_the_mean():
    cam = torch.tensor([[[0.0, 0.0, 2.0, 4.0], [0.0, 0.0, 1.0, 1.0]]])  # of the maximum: mean .25, threshold .5
    assert foreground(cam, "twice_mean").tolist() == [[[False, False, True, True], [False] * 4]]
    flat = torch.tensor([[[3.0, 4.0]]])  # twice the mean is above the maximum, which stays
    assert foreground(flat, "twice_mean").tolist() == [[[False, True]]]


@pytest.mark.parametrize("threshold", [0.0, 0.15, 1.0, "otsu", "twice_mean"])
def test_no_maps_no_masks_and_zero_maps_empty_masks(threshold):
    assert foreground(torch.zeros(0, 3, 4), threshold).shape == (0, 3, 4)
    for normalise in ("max", "minmax"):
        assert not foreground(torch.zeros(2, 3, 4), threshold, normalise).any()
        assert not foreground(torch.full((2, 3, 4), -1.0), threshold, normalise).any()
