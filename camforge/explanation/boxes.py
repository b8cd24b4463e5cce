"""Boxes around masks."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor


def largest_boxes(masks: Tensor) -> Tensor:
    """(P, *size) bool -> (P, 2 * axes) float32: around the largest connected part of each, zeros where there is none.

    The starts along the axes, the last axis first, then the ends, exclusive: x0, y0, x1, y1 for pictures.
    """
    boxes = torch.zeros(len(masks), 2 * (masks.dim() - 1))
    for box, mask in zip(boxes, masks.cpu().numpy(), strict=True):
        parts, count = ndimage.label(mask, np.ones((3,) * mask.ndim))
        if count:
            largest = int(np.bincount(parts.ravel())[1:].argmax())
            place = ndimage.find_objects(parts)[largest][::-1]
            box[:] = torch.tensor([float(part.start) for part in place] + [float(part.stop) for part in place])
    return boxes.to(masks.device)
