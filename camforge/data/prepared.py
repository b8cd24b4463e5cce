"""A split in the network's geometry: decoded once, shared by every network."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from camforge.data.geometry import Geometry
from camforge.data.truth import boxes_of_mask, truth_of, union
from camforge.types import Batch, CamForgeError, ImageSet, Sample

MEMORY = 4 << 30  # bytes of decoded images kept in memory; a larger set is decoded anew at every use


@dataclass(frozen=True, eq=False)
class Prepared:
    """One split in the network's geometry.

    indices  (M,) int64: the usable images, as places in ``images``;  labels (M, C) bool
    skipped  image id -> why it was left out (broken file, mask of another size)
    truth    which of "masks", "boxes" and "parts" any usable image has
    boxes_from_masks  the data set has masks and not one box: each box is that of a connected part of a class's mask
    """

    images: ImageSet
    geometry: Geometry
    indices: Tensor
    labels: Tensor
    skipped: dict[str, str]
    kept: list[Sample] | None
    truth: frozenset[str] = frozenset()
    boxes_from_masks: bool = False

    def __len__(self) -> int:
        return len(self.indices)

    def sample(self, i: int) -> Sample:
        """The i-th usable image, from memory where the set fits."""
        if self.kept is not None:
            return self.kept[i]
        sample = self.geometry.place(self.images.load(int(self.indices[i])))
        return _with_boxes(sample) if self.boxes_from_masks else sample

    def pixels(self, indices: list[int]) -> Tensor:
        """(B, 3, H, W) uint8."""
        return torch.stack([self.sample(i).image for i in indices])

    def batches(self, size: int, device: torch.device, some: slice = slice(None)) -> Iterator[tuple[list[int], Batch]]:
        """All images in order, normalised, with the places they have in this split; or ``some`` of the batches."""
        for start in range(0, len(self), size)[some]:
            places = list(range(start, min(start + size, len(self))))
            yield places, self.batch(places, device)

    def batch(self, places: list[int], device: torch.device) -> Batch:
        """The images at some places, normalised."""
        samples = [self.sample(i) for i in places]
        masks = [s.mask for s in samples if s.mask is not None]
        parts = [s.parts for s in samples if s.parts is not None]
        return Batch(
            ids=tuple(s.id for s in samples),
            images=self.geometry.normalise(torch.stack([s.image for s in samples]).to(device)),
            labels=torch.stack([s.labels for s in samples]).to(device),
            masks=torch.stack(masks).to(device) if len(masks) == len(samples) else None,
            boxes=tuple(s.boxes.to(device) for s in samples),
            box_classes=tuple(s.box_classes.to(device) for s in samples),
            parts=torch.stack(parts).to(device) if len(parts) == len(samples) else None,
        )


def _with_boxes(sample: Sample) -> Sample:
    if sample.mask is None:
        return sample
    boxes, classes = boxes_of_mask(sample.mask)
    return replace(sample, boxes=boxes, box_classes=classes)


class _Placed(Dataset[Any]):
    """Load and place image i; a broken one comes back as the reason."""

    def __init__(self, images: ImageSet, geometry: Geometry, keep: bool) -> None:
        self.images, self.geometry, self.keep = images, geometry, keep

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[int, Sample | None, frozenset[str], str]:
        try:
            sample = self.images.load(i)
            placed = self.geometry.place(sample)
        except CamForgeError as error:
            return i, None, frozenset(), str(error)
        return i, placed if self.keep else None, truth_of(sample), ""


def prepare(
    images: ImageSet, geometry: Geometry, every_class: bool = True, tick: Callable[[int, int], None] | None = None
) -> Prepared:
    """Decode a split once. Broken images are left out by name; with ``every_class``, a class left without is an error.

    tick(done, total) is called as images come in.
    """
    keep = len(images) * 5 * geometry.size**2 <= MEMORY
    kept: dict[int, Sample] = {}
    skipped: dict[str, str] = {}
    usable: list[int] = []
    truths: set[frozenset[str]] = set()
    for i, sample, truth, reason in _loader(_Placed(images, geometry, keep)):
        if reason:
            skipped[images.ids[i]] = reason
        else:
            usable.append(i)
            truths.add(truth)
        if sample is not None:
            kept[i] = sample
        if tick is not None:
            tick(len(usable) + len(skipped), len(images))
    _check_labels(images, usable, skipped, every_class)
    truth = union(truths)
    boxes_from_masks = "masks" in truth and "boxes" not in truth
    return Prepared(
        images,
        geometry,
        torch.tensor(usable),
        images.labels[usable],
        skipped,
        [_with_boxes(kept[i]) if boxes_from_masks else kept[i] for i in usable] if keep else None,
        truth | {"boxes"} if boxes_from_masks else truth,
        boxes_from_masks,
    )


def _check_labels(images: ImageSet, usable: list[int], skipped: dict[str, str], every_class: bool) -> None:
    if not usable:
        reason = next(iter(skipped.values()), "it is empty")
        raise CamForgeError(f"no image of the split can be used: {reason}")
    empty = [name for name, n in zip(images.classes, images.labels[usable].sum(0).tolist(), strict=True) if n == 0]
    if empty and every_class:
        raise CamForgeError(f"no usable image shows {', '.join(empty)}: leave the class out or add images")


def _serve(_worker: int) -> None:
    """Ctrl-C is for the run alone, which ends its readers; none outlives a killed run, whose lock it holds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _loader(dataset: _Placed) -> DataLoader[Any]:
    """In worker processes where they can be forked (a data set's closures cannot be pickled), else in this one."""
    forks = "fork" in multiprocessing.get_all_start_methods() and len(dataset) > 64
    workers = min(os.cpu_count() or 1, 8) if forks else 0
    torch.multiprocessing.set_sharing_strategy("file_system")
    return DataLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
        worker_init_fn=_serve if workers else None,
    )
