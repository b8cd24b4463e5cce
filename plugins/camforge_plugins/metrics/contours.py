"""The boxes of a map's contours at every level, as clovaai/wsolevaluation finds them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from camforge_plugins.metrics.boxes import first_of_largest


def contour_boxes(levels: Tensor, largest: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(H, W) uint8 -> boxes (M, 4) int64, the place (M,) of each in ``values``, and the values (L,) but the highest.

    At a value v the mask is levels > v; between two values of the map it does not change. x1 = x + w and y1 = y + h
    stop at the last column and row, as in the authors' code. The borders of holes count as contours. ``largest``: per
    mask only the contour of the largest area, the first that OpenCV lists among equals. A constant map has no boxes.
    """
    image = levels.numpy()
    values = np.unique(image)[:-1]
    contours: list[np.ndarray] = []
    counts: list[int] = []
    for value, (x0, y0, x1, y1) in zip(values.tolist(), _extents(image, values), strict=True):
        mask = cv2.threshold(image[y0:y1, x0:x1], value, 255, cv2.THRESH_BINARY)[1]
        found = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE, offset=(x0, y0))[0]
        contours += found
        counts.append(len(found))
    if not contours:
        none = torch.zeros(0, dtype=torch.int64)
        return none.view(0, 4), none, none
    boxes, areas = _measured(contours)
    boxes[:, 2:] = np.minimum(boxes[:, 2:], [image.shape[1] - 1, image.shape[0] - 1])
    owner = torch.from_numpy(np.repeat(np.arange(len(values)), counts))
    kept = first_of_largest(torch.from_numpy(areas), owner, len(values)) if largest else torch.arange(len(owner))
    return torch.from_numpy(boxes)[kept], owner[kept], torch.from_numpy(values).long()


def _extents(image: np.ndarray, values: np.ndarray) -> list[list[int]]:
    """The tight box of image > value for each value, from the highest value of each row and column."""
    ends = []
    for profile in (image.max(0), image.max(1)):
        above = profile[None] > values[:, None]
        ends += [above.argmax(1), len(profile) - above[:, ::-1].argmax(1)]
    x0, x1, y0, y1 = ends
    return np.stack([x0, y0, x1, y1], 1).tolist()


def _measured(contours: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Contours of (n, 1, 2) points -> boxes x, y, x + w, y + h (M, 4) int64 and twice their areas (M,) int64."""
    lengths = np.array([len(points) for points in contours])
    ends = lengths.cumsum()
    starts = ends - lengths
    points = np.concatenate(contours)[:, 0].astype(np.int64)
    following = np.arange(1, len(points) + 1)
    following[ends - 1] = starts
    cross = points[:, 0] * points[following, 1] - points[following, 0] * points[:, 1]
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    return np.concatenate([low, high + 1], 1), np.abs(np.add.reduceat(cross, starts))
