"""Boxes from masks, and how boxes overlap. Boxes are x0, y0, x1, y1 in pixels, x1 and y1 exclusive."""

from __future__ import annotations

from typing import Literal

import cv2
import torch
from torch import Tensor

from camforge.api import CamForgeError, MetricInput

Component = Literal["largest", "every"]


def component_boxes(masks: Tensor, which: Component = "largest") -> tuple[Tensor, Tensor]:
    """(P, H, W) bool -> the tight boxes (M, 4) int64 of 8-connected components and the mask (M,) int64 each lies in.

    "largest": the component with the most pixels of each mask, the first in raster order among equals; an empty mask
    has no box. The masks are labelled as one tall image, an empty row between two of them.
    """
    count, height, width = masks.shape
    tall = torch.nn.functional.pad(masks.cpu().to(torch.uint8), (0, 0, 0, 1)).reshape(count * (height + 1), width)
    if tall.numel() == 0:
        return torch.zeros(0, 4, dtype=torch.int64, device=masks.device), masks.new_zeros(0, dtype=torch.int64)
    stats = torch.from_numpy(cv2.connectedComponentsWithStats(tall.numpy(), connectivity=8)[2][1:]).long()
    x, y, w, h, area = stats.unbind(1)
    owner = y // (height + 1)
    top = y - owner * (height + 1)
    boxes = torch.stack([x, top, x + w, top + h], 1)
    if which == "largest":
        keep = first_of_largest(area, owner, count)
        boxes, owner = boxes[keep], owner[keep]
    return boxes.to(masks.device), owner.to(masks.device)


def first_of_largest(size: Tensor, owner: Tensor, owners: int) -> Tensor:
    """(M,) sizes and owners -> indices, one per owner that has any: its largest, the first among equals."""
    largest = torch.zeros(owners, dtype=size.dtype).scatter_reduce(0, owner, size, "amax")
    candidates = (size == largest[owner]).nonzero().flatten()
    place = torch.full((owners,), len(size), dtype=torch.int64)
    place = place.scatter_reduce(0, owner[candidates], candidates, "amin")
    return place[place < len(size)]


def box_iou(a: Tensor, b: Tensor, inclusive: bool = False) -> Tensor:
    """(M, 4) and (G, 4) -> (M, G) float64 IoU; ``inclusive``: x1 and y1 belong to the box, one pixel more."""
    ax0, ay0, ax1, ay1 = a.double()[:, :, None].unbind(1)
    bx0, by0, bx1, by1 = b.double().unbind(1)
    more = int(inclusive)
    width = torch.minimum(ax1, bx1).sub_(torch.maximum(ax0, bx0)).add_(more).clamp_(min=0)
    height = torch.minimum(ay1, by1).sub_(torch.maximum(ay0, by0)).add_(more).clamp_(min=0)
    overlap = width * height
    union = (ax1 - ax0 + more) * (ay1 - ay0 + more) + (bx1 - bx0 + more) * (by1 - by0 + more) - overlap
    return overlap / torch.where(union > 0, union, 1)


def pair_boxes(pairs: MetricInput) -> tuple[Tensor, Tensor]:
    """The true boxes (G, 4) float64 of the pairs' classes and the pair (G,) int64 that each belongs to."""
    batch, device = pairs.batch, pairs.maps.device
    boxes = torch.cat([batch.boxes[i] for i in range(len(batch))]).to(device).double()
    classes = torch.cat(list(batch.box_classes)).to(device)
    images = torch.repeat_interleave(torch.tensor([len(b) for b in batch.boxes])).to(device)
    pair_of = torch.full(batch.labels.shape, -1, dtype=torch.int64, device=device)
    pair_of[pairs.images, pairs.classes] = torch.arange(len(pairs.maps), device=device)
    owner = pair_of[images, classes]
    return boxes[owner >= 0], owner[owner >= 0]


def best_overlap(predicted: Tensor, owner: Tensor, pairs: MetricInput) -> Tensor:
    """(M, 4) predicted boxes of pairs (M,) -> (P,) float64: a pair's best IoU (exclusive) with its true boxes."""
    true, true_owner = pair_boxes(pairs)
    best = torch.zeros(len(pairs.maps), dtype=torch.float64, device=pairs.maps.device)
    if len(true) == 0:
        return best
    overlap = box_iou(predicted, true) * (owner[:, None] == true_owner[None])
    return best.scatter_reduce(0, owner, overlap.amax(1), "amax")


def need_boxes(seen: float, metric: str) -> None:
    """CamForgeError where not one true box was given."""
    if seen == 0:
        raise CamForgeError(
            f"metric {metric!r} needs boxes, and no image that it was given has one of a labelled class"
        )
