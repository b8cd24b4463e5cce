"""What is known of a split's images beside their labels, and boxes where only masks are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from scipy.ndimage import find_objects, label
from torch import Tensor

from camforge.types import IGNORED, Sample

EVERY_NEIGHBOUR = np.ones((3, 3), dtype=bool)  # 8-connectivity


def truth_of(sample: Sample) -> frozenset[str]:
    """Which of "masks", "boxes" and "parts" a sample has. A mask without one object counts: it says that none is."""
    has = {"masks": sample.mask is not None, "boxes": len(sample.boxes) > 0, "parts": sample.parts is not None}
    return frozenset(name for name, there in has.items() if there)


def boxes_of_mask(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The tight box of each 8-connected component of each class of a mask.

    mask  (H, W) uint8: 0 background, 1 + class index, 255 ignored
    Returns (K, 4) float32 with x1 and y1 exclusive, ordered by class, and (K,) int64, the class index of each.
    """
    values = mask.cpu().numpy()
    shown = [int(value) for value in np.unique(values) if value not in (0, IGNORED)]
    found = [(value - 1, box) for value in shown for box in _components(values == value)]
    boxes = torch.tensor([box for _, box in found], dtype=torch.float32).reshape(-1, 4)
    return boxes, torch.tensor([c for c, _ in found], dtype=torch.int64)


def _components(shape: np.ndarray) -> Iterator[tuple[int, int, int, int]]:
    numbered, _ = label(shape, EVERY_NEIGHBOUR)
    for rows, columns in find_objects(numbered):
        yield columns.start, rows.start, columns.stop, rows.stop


def union(found: Iterable[frozenset[str]]) -> frozenset[str]:
    """What any of several images has."""
    return frozenset().union(*found)
