"""One photograph's seeds as files: a label map with VOC's palette, COCO's run lengths, confidences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as run_lengths
from torch import Tensor

from camforge.types import IGNORED, CamForgeError

UNSURE = -1
"""In a label map; a palette PNG has 255 there."""
PALETTE_CLASSES = IGNORED - 1
"""As many as a palette PNG tells apart."""


def label_map(scaled: Tensor, classes: Tensor, inside: Tensor, threshold: float, background: float) -> Tensor:
    """Maps over their maxima (P, h, w) of classes (P,), inside (h, w) bool -> (h, w) int64.

    1 + the class of the highest map where that reaches ``threshold``, 0 where it lies below ``background``, ``UNSURE``
    between the two and outside.
    """
    label = torch.zeros(inside.shape, dtype=torch.int64)
    if len(scaled):
        value, place = scaled.max(0)
        label = torch.where(value >= background, UNSURE, label) if background < threshold else label
        label = torch.where((value >= threshold) & (value > 0), 1 + classes[place], label)
    return torch.where(inside, label, UNSURE)


def save_label_map(path: Path, label: Tensor) -> None:
    """As a palette PNG, of up to ``PALETTE_CLASSES``."""
    if path.exists():
        raise CamForgeError(f"two images would be called {path.name}")
    picture = Image.fromarray(label.where(label != UNSURE, IGNORED).to(torch.uint8).numpy(), mode="P")
    picture.putpalette(voc_palette())
    picture.save(path)


def voc_palette() -> bytes:
    """PASCAL VOC's 256 colours: the bits of the index, dealt to red, green and blue from the highest bit down."""
    index = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return colours.tobytes()


def class_masks(label: Tensor, scaled: Tensor, classes: Tensor, image: int, before: int) -> list[dict[str, Any]]:
    """COCO's annotations of a label map (h, w), one per class that it shows, with compressed run lengths.

    "score" is the mean of the class's map inside; ``before``: how many annotations there are already.
    """
    found: list[dict[str, Any]] = []
    for values, c in zip(scaled, classes.tolist(), strict=True):
        mask = label == 1 + c
        if not mask.any():
            continue
        encoded = run_lengths.encode(np.asfortranarray(mask.numpy().astype(np.uint8)))
        found.append(
            {
                "id": 1 + before + len(found), "image_id": image, "category_id": 1 + c, "iscrowd": 0,
                "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode("ascii")},
                "area": int(mask.sum()), "bbox": run_lengths.toBbox(encoded).tolist(),
                "score": round(float(values[mask].mean()), 6),
            }
        )  # fmt: skip
    return found


def save_confidence(path: Path, scaled: Tensor, classes: Tensor) -> None:
    """Maps over their maxima, (P, h, w) in half precision, and their classes (P,)."""
    np.savez_compressed(path, scores=scaled.numpy().astype(np.float16), classes=classes.numpy())
