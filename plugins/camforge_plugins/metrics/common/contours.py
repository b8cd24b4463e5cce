"""The boxes of a map's contours at every level, as clovaai/wsolevaluation finds them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camforge_plugins.metrics.common.level_sets import Ints, LevelSets, level_sets

TOP = 255


def contour_boxes(levels: Tensor, largest: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(H, W) uint8 -> boxes (M, 4) int64, the place (M,) of each in ``values``, and the values (L,) but the highest.

    At a value v the mask is levels > v; between two values of the map it does not change. x1 = x + w and y1 = y + h
    stop at the last column and row, as in the authors' code. The borders of holes count as contours. ``largest``: per
    mask only the contour of the largest area, the first that OpenCV lists among equals. A constant map has no boxes.
    """
    image = levels.numpy()
    histogram = _histogram(image)
    values = np.flatnonzero(histogram)[:-1]
    solid = level_sets(image, values, eight=True)
    holes = np.bincount(solid.place, minlength=len(values)) - _euler_numbers(image, histogram)[values]
    if largest:
        boxes, place = _largest(image, values, solid, holes), np.arange(len(values))
    else:
        inner, inner_place = _hole_boxes(image, values, np.flatnonzero(holes))
        boxes, place = np.concatenate([solid.boxes, inner]), np.append(solid.place, inner_place)
    boxes[:, 2:] = np.minimum(boxes[:, 2:], np.array(image.shape[::-1]) - 1)
    return torch.from_numpy(boxes), torch.from_numpy(place), torch.from_numpy(values)


def _histogram(image: Ints) -> Ints:
    """How many pixels have each of the 256 values."""
    return cv2.calcHist([image], [0], None, [TOP + 1], [0, TOP + 1]).ravel().astype(np.int64)


def _euler_numbers(image: Ints, histogram: Ints) -> Ints:
    """(256,): components less holes of image > v for each value v, counted from pixels, their sides and corners."""
    padded = np.pad(image, 1)
    upright, level = np.maximum(padded[:, 1:], padded[:, :-1]), np.maximum(padded[1:], padded[:-1])
    corners = np.maximum(upright[1:], upright[:-1])
    everything = image.size - upright.size - level.size + corners.size
    return everything - (histogram - _histogram(upright) - _histogram(level) + _histogram(corners)).cumsum()


def _hole_boxes(image: Ints, values: Ints, places: Ints) -> tuple[Ints, Ints]:
    """The boxes of the holes' borders, which are the pixels around them, at the places where there are holes."""
    if len(places) == 0:
        return np.zeros((0, 4), np.int64), places
    depth = np.pad(TOP - image.astype(np.int16), 1, constant_values=TOP + 1)  # all that is outside is one pool
    pools = level_sets(depth, TOP - 1 - values[places][::-1], eight=False)
    inner = np.ones(len(pools.boxes), bool)
    inner[pools.component[:, pools.labels[0, 0]]] = False
    return pools.boxes[inner] - np.array([2, 2, 0, 0]), places[::-1][pools.place[inner]]


def _largest(image: Ints, values: Ints, solid: LevelSets, holes: Ints) -> Ints:
    """(L, 4): the box of the contour with the largest area at each value.

    The area of a component without holes is known; with holes, which its contour encloses, it lies between the
    component's own and its box's. Where that does not tell one winner, OpenCV is asked.
    """
    least = _areas(image, values, solid)
    sides = solid.boxes[:, 2:] - solid.boxes[:, :2] - 1  # a contour runs through the centres of pixels
    most = np.where(holes[solid.place] > 0, 2 * sides.prod(1), least)
    order = np.lexsort((-least, solid.place))
    first = order[np.unique(solid.place[order], return_index=True)[1]]
    unclear = _rivals(least, most, first, solid.place)
    if len(unclear):
        unclear = _rivals(least, np.where(_pierced(image, values, solid), most, least), first, solid.place)
    boxes = solid.boxes[first]
    for place in unclear:
        mask = (image > values[place]).view(np.uint8)  # what lies in a hole is smaller than what encloses it
        contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        x, y, w, h = cv2.boundingRect(max(contours, key=cv2.contourArea))
        boxes[place] = x, y, x + w, y + h
    return boxes


def _rivals(least: Ints, most: Ints, first: Ints, place: Ints) -> Ints:
    """The places where another component may be as large as the first."""
    return np.flatnonzero(np.bincount(place[most >= least[first][place]]) > 1)


def _areas(image: Ints, values: Ints, solid: LevelSets) -> Ints:
    """(M,) twice the area between the centres of a component's pixels: of four neighbours 2, of three 1."""
    a, b, c, d = image[:-1, :-1], image[:-1, 1:], image[1:, :-1], image[1:, 1:]
    low, high = (np.minimum(a, b), np.minimum(c, d)), (np.maximum(a, b), np.maximum(c, d))
    fourth, third = np.minimum(*low), np.minimum(np.maximum(*low), np.minimum(*high))
    labels = np.where(a >= third, solid.labels[:-1, :-1], solid.labels[:-1, 1:])  # any of the three highest will do
    return _summed([(labels, third, 1), (labels, fourth, 1)], values, solid)


def _pierced(image: Ints, values: Ints, solid: LevelSets) -> NDArray[np.bool_]:
    """(M,): does the component have holes? By its own Euler number, as in ``_euler_numbers``."""
    cells, labels = np.pad(image, 1), np.pad(solid.labels, 1)
    upright, upright_labels = _higher(cells[:, 1:], cells[:, :-1], labels[:, 1:], labels[:, :-1])
    level, level_labels = _higher(cells[1:], cells[:-1], labels[1:], labels[:-1])
    corners, corner_labels = _higher(upright[1:], upright[:-1], upright_labels[1:], upright_labels[:-1])
    parts = [(upright_labels, upright, -1), (level_labels, level, -1), (corner_labels, corners, 1)]
    return _summed([(solid.labels, image, 1), *parts], values, solid) < 1


def _higher(a: Ints, b: Ints, a_labels: Ints, b_labels: Ints) -> tuple[Ints, Ints]:
    return np.maximum(a, b), np.where(a >= b, a_labels, b_labels)


def _summed(parts: list[tuple[Ints, Ints, int]], values: Ints, solid: LevelSets) -> Ints:
    """(M,): how many cells of a component exceed its value, in parts of (summit, height, weight)."""
    count, bins = solid.component.shape[1], TOP + 1
    table = np.zeros(count * bins, np.int64)
    for labels, heights, weight in parts:
        table += weight * np.bincount((labels * bins + heights).ravel(), minlength=count * bins)
    above = table.reshape(count, bins)[:, ::-1].cumsum(1)[:, ::-1]
    alive = solid.component >= 0
    sums = np.bincount(solid.component[alive], weights=above[:, values + 1].T[alive], minlength=len(solid.boxes))
    return sums.astype(np.int64)
