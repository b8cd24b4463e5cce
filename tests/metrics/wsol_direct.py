"""A slow, direct transcription of wsolevaluation's box and pixel evaluators (Choe et al. 2020), map by map.

The oracle of the tests and the yardstick of benchmarks/wsol_metrics.py; nothing of the library is used.
"""

import cv2
import numpy as np

OVERLAPS = (30, 50, 70)


def normalised(cam: np.ndarray) -> np.ndarray:
    """Min-max; a constant map becomes zero."""
    if cam.min() == cam.max():
        return np.zeros_like(cam)
    cam = cam - cam.min()
    return cam / cam.max()


def boxes_at_thresholds(scoremap: np.ndarray, thresholds: np.ndarray, multi: bool) -> list[np.ndarray]:
    """Per threshold the boxes (n, 4) of all contours, or of the largest."""
    height, width = scoremap.shape
    image = np.expand_dims((scoremap * 255).astype(np.uint8), 2)
    boxes = []
    for threshold in thresholds:
        mask = cv2.threshold(image, int(threshold * np.max(image)), 255, cv2.THRESH_BINARY)[1]
        contours = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        if len(contours) == 0:
            boxes.append(np.asarray([[0, 0, 0, 0]]))
            continue
        if not multi:
            contours = [max(contours, key=cv2.contourArea)]
        mine = []
        for contour in contours:
            x, y, w, h = cv2.boundingRect(contour)
            mine.append([x, y, min(x + w, width - 1), min(y + h, height - 1)])
        boxes.append(np.asarray(mine))
    return boxes


def inclusive_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, 4) and (m, 4) -> (n, m)."""
    a, b = a[:, None], b[None]
    w = np.maximum(0, np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0]) + 1)
    h = np.maximum(0, np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1]) + 1)
    area_a = (a[..., 2] - a[..., 0] + 1) * (a[..., 3] - a[..., 1] + 1)
    area_b = (b[..., 2] - b[..., 0] + 1) * (b[..., 3] - b[..., 1] + 1)
    union = area_a + area_b - w * h
    return np.where(union > 0, w * h / np.where(union > 0, union, 1), 0)


def box_counts(cam: np.ndarray, true: np.ndarray, step: float, multi: bool) -> np.ndarray:
    """(3, thresholds) bool: does the best box at the threshold fit at IoU 30, 50, 70?"""
    boxes = boxes_at_thresholds(normalised(cam), np.arange(0, 1, step), multi)
    overlaps = inclusive_iou(np.concatenate(boxes), true)
    best, start = [], 0
    for mine in boxes:
        best.append(max(overlaps.max(1)[start : start + len(mine)]))
        start += len(mine)
    return np.stack([np.asarray(best) >= overlap / 100 for overlap in OVERLAPS])


def pixel_histograms(cam: np.ndarray, mask: np.ndarray, step: float) -> np.ndarray:
    """(2, bins): pixels of mask 0 and of mask 1 by score."""
    edges = np.append(np.arange(0, 1, step), [1.0, 2.0, 3.0])
    scoremap = normalised(cam)
    return np.stack([np.histogram(scoremap[mask == value], bins=edges)[0] for value in (0, 1)])


def pixel_average_precision(histograms: np.ndarray) -> float:
    """The area under the precision-recall curve of summed histograms, in percent."""
    false, true = histograms[:, ::-1].astype(float).cumsum(1)
    some = (true + false) != 0
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=some)
    return 100 * (precision[1:] * np.diff(true / true[-1]))[some[1:]].sum()
