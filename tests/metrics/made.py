"""MetricInput made by hand or at random."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from camforge.api import Metric, MetricInput
from camforge.types import Batch

Boxes = Sequence[Sequence[float]]


def metric_input(
    maps: Mapping[tuple[int, int], Tensor],
    labels: Sequence[Sequence[int]],
    masks: Tensor | None = None,
    boxes: Mapping[tuple[int, int], Boxes] | None = None,
    parts: Tensor | None = None,
    logits: Tensor | None = None,
) -> MetricInput:
    """MetricInput from maps and true boxes by (image, class) and from (B, C) labels."""
    held = torch.tensor(labels, dtype=torch.bool)
    true = [
        [(box, c) for (image, c), many in (boxes or {}).items() if image == i for box in many] for i in range(len(held))
    ]
    size = next(iter(maps.values())).shape if maps else masks.shape[1:]
    batch = Batch(
        ids=tuple(f"image{i}" for i in range(len(held))),
        images=torch.zeros(len(held), 3, *size),
        labels=held,
        masks=masks,
        boxes=tuple(torch.tensor([b for b, _ in t], dtype=torch.float32).reshape(-1, 4) for t in true),
        box_classes=tuple(torch.tensor([c for _, c in t], dtype=torch.int64) for t in true),
        parts=parts,
    )
    values = torch.stack(list(maps.values())) if maps else torch.zeros(0, *size)
    pairs = torch.tensor(list(maps), dtype=torch.int64).reshape(-1, 2)
    return MetricInput(batch, values, pairs[:, 0], pairs[:, 1], logits)


def box_map(boxes: Boxes, height: int, width: int) -> Tensor:
    """(H, W) float32: 1 inside the boxes (x1, y1 exclusive), 0 outside."""
    out = torch.zeros(height, width)
    for x0, y0, x1, y1 in boxes:
        out[int(y0) : int(y1), int(x0) : int(x1)] = 1
    return out


def random_metric_input(seed: int, images: int = 4, classes: int = 3, size: int = 12) -> MetricInput:
    """Smooth signed maps, masks with ignored pixels, parts, boxes and logits; image 0 holds nothing."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.rand(images, classes, generator=g) < 0.6
    labels[0] = False
    coarse = torch.randn(images, classes, size // 3, size // 3, generator=g)
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    masks = torch.zeros(images, size, size, dtype=torch.uint8)
    boxes: dict[tuple[int, int], list[list[float]]] = {}
    for i, c in labels.nonzero().tolist():
        x, y = torch.randint(0, size - 4, (2,), generator=g).tolist()
        w, h = torch.randint(3, 6, (2,), generator=g).tolist()
        masks[i, y : y + h, x : x + w] = 1 + c
        boxes[i, c] = [[x, y, min(x + w, size), min(y + h, size)]]
    masks[torch.rand(masks.shape, generator=g) < 0.1] = 255
    parts = torch.randint(1, 3, masks.shape, generator=g, dtype=torch.uint8) * ((masks > 0) & (masks < 255))
    bright = torch.rand(images, classes, generator=g)  # of each object, on a field of its own
    maps = {
        (i, c): 0.5 * smooth[i, c] + 2 * bright[i, c] * box_map(boxes[i, c], size, size)
        for i, c in labels.nonzero().tolist()
    }
    return metric_input(maps, labels.int().tolist(), masks, boxes, parts, torch.randn(images, classes, generator=g))


def joined(first: MetricInput, second: MetricInput) -> MetricInput:
    """Two batches as one."""
    a, b = first.batch, second.batch
    batch = Batch(
        ids=a.ids + b.ids,
        images=torch.cat([a.images, b.images]),
        labels=torch.cat([a.labels, b.labels]),
        masks=torch.cat([a.masks, b.masks]),
        boxes=a.boxes + b.boxes,
        box_classes=a.box_classes + b.box_classes,
        parts=torch.cat([a.parts, b.parts]),
    )
    return MetricInput(
        batch,
        torch.cat([first.maps, second.maps]),
        torch.cat([first.images, len(a) + second.images]),
        torch.cat([first.classes, second.classes]),
        torch.cat([first.logits, second.logits]),
    )


def measured(metric: Metric, seen: MetricInput, classes: tuple[str, ...] | None = None) -> Mapping[str, float]:
    """The metric's numbers of one batch; classes are named a, b, c …"""
    names = classes or tuple("abcdefgh"[: seen.batch.labels.shape[1]])
    return metric.compute(metric.update(seen), names)
