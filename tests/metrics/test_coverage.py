"""Coverage of parts against counts made by hand and pixel by pixel."""

import numpy as np
import pytest
import torch
from made import measured, metric_input, random_metric_input

from camforge.api import CamForgeError
from camforge_plugins.metrics.localization.coverage import Coverage


def test_by_hand():
    """Class a: its part (2 px) covered whole, 1 of 2 body pixels, 1 of 5 predicted pixels on the background."""
    masks = torch.tensor([[[1, 1, 0, 2], [1, 1, 0, 2]]], dtype=torch.uint8)
    parts = torch.tensor([[[2, 1, 0, 2], [2, 1, 0, 1]]], dtype=torch.uint8)
    a = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    numbers = measured(Coverage(), metric_input({(0, 0): a, (0, 1): torch.zeros(2, 4)}, [[1, 1]], masks, parts=parts))
    assert numbers == pytest.approx(
        {"part_recall": 50, "part_recall/a": 100, "part_recall/b": 0, "body_recall": 25, "body_recall/a": 50,
         "body_recall/b": 0, "leakage": 10, "leakage/a": 20, "leakage/b": 0}
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_pixel_by_pixel(seed):
    seen = random_metric_input(seed)
    cells = np.zeros((3, 6))
    for image, c, values in seen.pairs():
        cam = values.double().relu().numpy()
        for y, x in np.ndindex(cam.shape):
            mask, part = int(seen.batch.masks[image, y, x]), int(seen.batch.parts[image, y, x])
            if mask == 255:
                continue
            hit = cam[y, x] >= 0.15 * cam.max()
            own = mask == 1 + c
            cells[c] += [hit and own and part == 2, own and part == 2, hit and own and part == 1, own and part == 1,
                         hit and mask == 0, hit]  # fmt: skip
    numbers = measured(Coverage(), seen)
    for place, name in ((0, "part_recall"), (2, "body_recall"), (4, "leakage")):
        shown = cells[:, place + 1] > 0
        want = np.mean(cells[shown, place] / cells[shown, place + 1])
        assert numbers[name] == pytest.approx(100 * want, abs=1e-9)


def test_missing_parts_are_named():
    seen = metric_input({(0, 0): torch.ones(2, 2)}, [[1]], torch.ones(1, 2, 2, dtype=torch.uint8))
    with pytest.raises(CamForgeError, match="metric 'coverage' needs part masks, and image 'image0' has none"):
        Coverage().update(seen)
