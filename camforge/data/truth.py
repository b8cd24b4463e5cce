"""What is known of a split's images beside their labels, and boxes where only masks are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from scipy.ndimage import find_objects, label
from torch import Tensor

from camforge.types import IGNORED, Sample

EVERY_NEIGHBOUR = np.ones((3, 3), dtype=bool)  # 8-connectivity


@dataclass(frozen=True)
class Facts:
    """What a reader tells of one image, beside its pixels. ``boxes`` (K, 4) float32, ``classes`` (K,) int64.

    drawn  boxes (K', 4) and classes (K',) of its mask's connected parts, for a split that has no others
    """

    has_mask: bool
    has_parts: bool
    has_boxes: bool
    boxes: np.ndarray
    classes: np.ndarray
    drawn: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, sample: Sample, placed: Sample) -> Facts:
        """Of an image as it was loaded, and as it lies in the network's square, where its boxes are taken."""
        drawn = boxes_of_mask(placed.mask) if placed.mask is not None and not len(sample.boxes) else NO_BOXES
        own = (placed.boxes.numpy(), placed.box_classes.numpy())
        return cls(sample.mask is not None, sample.parts is not None, len(sample.boxes) > 0, *own, drawn)


NO_BOXES = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of M images beside their labels, without masks and parts themselves.

    masked, parted  (M,) bool: which have a mask, and parts. A mask without one object counts: it says that none is
    boxes  (K, 4) float32, those of image 0 first;  classes  (K,) int64;  starts  (M + 1,) int64: where each begins
    boxes_from_masks  there are masks and not one box: each is that of a connected part of a class's mask
    """

    masked: Tensor
    parted: Tensor
    boxes: Tensor
    classes: Tensor
    starts: Tensor
    boxes_from_masks: bool
    kinds: frozenset[str]

    @classmethod
    def gathered(cls, facts: Sequence[Facts]) -> Truth:
        """Of all images."""
        has = {
            "masks": any(f.has_mask for f in facts),
            "boxes": any(f.has_boxes for f in facts),
            "parts": any(f.has_parts for f in facts),
        }
        from_masks = has["masks"] and not has["boxes"]
        boxes = [f.drawn if from_masks else (f.boxes, f.classes) for f in facts] or [NO_BOXES]
        return cls(
            torch.tensor([f.has_mask for f in facts]),
            torch.tensor([f.has_parts for f in facts]),
            torch.from_numpy(np.concatenate([own for own, _ in boxes])),
            torch.from_numpy(np.concatenate([own for _, own in boxes])),
            torch.tensor([0, *accumulate(len(own) for own, _ in boxes)]),
            from_masks,
            frozenset(name for name, there in has.items() if there or (name == "boxes" and from_masks)),
        )

    def boxes_at(self, places: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Boxes (K, 4) and classes (K,) of some images, one after another."""
        spans = [range(*self.starts[i : i + 2].tolist()) for i in places]
        rows = torch.tensor([row for span in spans for row in span], dtype=torch.int64)
        return self.boxes[rows], self.classes[rows]

    def bare(self, kind: str) -> Tensor:
        """(M,) bool: which images lack "masks", "parts", or the "boxes" that are drawn around masks."""
        if kind == "boxes" and not self.boxes_from_masks:
            return torch.zeros_like(self.masked)  # an image may hold no object
        return ~(self.parted if kind == "parts" else self.masked)

    def counts(self, places: Sequence[int]) -> list[int]:
        """How many boxes each of some images has."""
        return self.starts.diff()[list(places)].tolist()


def boxes_of_mask(mask: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The tight box of each 8-connected component of each class of a mask.

    mask  (H, W) uint8: 0 background, 1 + class index, 255 ignored
    Returns (K, 4) float32 with x1 and y1 exclusive, ordered by class, and (K,) int64, the class index of each.
    """
    values = mask.cpu().numpy()
    shown = [int(value) for value in np.unique(values) if value not in (0, IGNORED)]
    found = [(value - 1, box) for value in shown for box in _components(values == value)]
    boxes = np.array([box for _, box in found], np.float32).reshape(-1, 4)
    return boxes, np.array([c for c, _ in found], np.int64)


def _components(shape: np.ndarray) -> Iterator[tuple[int, int, int, int]]:
    numbered, _ = label(shape, EVERY_NEIGHBOUR)
    for rows, columns in find_objects(numbered):
        yield columns.start, rows.start, columns.stop, rows.stop
