"""Photographs as network inputs: one geometry for images, masks and boxes; decoded once, shared by every network."""

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
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from camforge.maps import resize
from camforge.types import Batch, CamForgeError, ImageSet, Sample

NARROWEST = 50  # an image whose sides differ more than this many times would be resized to gigabytes
MEMORY = 4 << 30  # bytes of decoded images kept in memory; a larger set is decoded anew at every use


@dataclass(frozen=True)
class Geometry:
    """Short side to ``size`` and the centre of it ("crop"), or both sides to ``size`` ("squash"); then mean and std."""

    size: int
    fit: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def place(self, sample: Sample) -> Sample:
        """The sample in a square of ``size`` pixels. Boxes are clipped; those that leave the square are dropped."""
        size = tuple(sample.image.shape[-2:])
        if self.fit == "crop" and max(size) > NARROWEST * min(size):
            raise CamForgeError(f"image {sample.id!r} is {size[1]}x{size[0]}: too narrow for a square crop")
        boxes = tv_tensors.BoundingBoxes(sample.boxes.float(), format="XYXY", canvas_size=size)
        shapes = [None if m is None else tv_tensors.Mask(m[None]) for m in (sample.mask, sample.parts)]
        image, boxes, mask, parts = self._transform()(tv_tensors.Image(sample.image), boxes, *shapes)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return replace(
            sample,
            image=image.as_subclass(Tensor),
            mask=None if mask is None else mask.as_subclass(Tensor)[0],
            parts=None if parts is None else parts.as_subclass(Tensor)[0],
            boxes=boxes.as_subclass(Tensor)[area > 0].float(),
            box_classes=sample.box_classes[area > 0],
        )

    def back(self, maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Maps (P, size, size) of one image -> (P, h, w) as the image lies in its file, and (h, w) bool: what was seen.

        What a crop cut off was not seen; there the maps are zero.
        """
        if self.fit == "squash":
            return resize(maps, size), torch.ones(size, dtype=torch.bool, device=maps.device)
        short = min(size)
        height, width = (self.size if side == short else int(self.size * side / short) for side in size)
        top, left = round((height - self.size) / 2), round((width - self.size) / 2)
        around = (left, width - self.size - left, top, height - self.size - top)
        seen = pad(torch.ones_like(maps[:1]) if len(maps) else maps.new_ones(1, self.size, self.size), around)
        return resize(pad(maps, around), size), resize(seen, size)[0] > 0.5

    def _transform(self) -> v2.Transform:
        if self.fit == "squash":
            return v2.Resize([self.size, self.size], antialias=True)
        return v2.Compose([v2.Resize(self.size, antialias=True), v2.CenterCrop(self.size), v2.ClampBoundingBoxes()])

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 -> float32 with the mean and standard deviation taken out."""
        mean, std = pixels.new_tensor(self.mean, dtype=torch.float32), pixels.new_tensor(self.std, dtype=torch.float32)
        return (pixels.float() / 255 - mean[:, None, None]) / std[:, None, None]


def random_crop(pixels: Tensor, size: int, of: int | None = None, mine: slice = slice(None)) -> Tensor:
    """(B, C, H, W) -> (B, C, size, size): each image's own place, drawn from torch's generator.

    of, mine    where the images are a share of a batch of ``of``: places are drawn for all of them
    """
    batch, channels, height, width = pixels.shape
    drawn = (torch.randint(0, side - size + 1, (of or batch, 1))[mine] for side in (height, width))
    top, left = (corner + torch.arange(size) for corner in drawn)
    image, channel = torch.arange(batch)[:, None, None, None], torch.arange(channels)[None, :, None, None]
    return pixels[image, channel, top[:, None, :, None], left[:, None, None, :]]


@dataclass(frozen=True, eq=False)
class Prepared:
    """One split in the network's geometry.

    indices  (M,) int64: the usable images, as places in ``images``;  labels (M, C) bool
    skipped  image id -> why it was left out (broken file, mask of another size)
    """

    images: ImageSet
    geometry: Geometry
    indices: Tensor
    labels: Tensor
    skipped: dict[str, str]
    kept: list[Sample] | None

    def __len__(self) -> int:
        return len(self.indices)

    def sample(self, i: int) -> Sample:
        """The i-th usable image, from memory where the set fits."""
        if self.kept is not None:
            return self.kept[i]
        return self.geometry.place(self.images.load(int(self.indices[i])))

    def pixels(self, indices: list[int]) -> Tensor:
        """(B, 3, H, W) uint8."""
        return torch.stack([self.sample(i).image for i in indices])

    def batches(self, size: int, device: torch.device, some: slice = slice(None)) -> Iterator[tuple[list[int], Batch]]:
        """All images in order, normalised, with the places they have in this split; or ``some`` of the batches."""
        for start in range(0, len(self), size)[some]:
            places = list(range(start, min(start + size, len(self))))
            yield places, self._batch([self.sample(i) for i in places], device)

    def _batch(self, samples: list[Sample], device: torch.device) -> Batch:
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


class _Placed(Dataset[Any]):
    """Load and place image i; a broken one comes back as the reason."""

    def __init__(self, images: ImageSet, geometry: Geometry, keep: bool) -> None:
        self.images, self.geometry, self.keep = images, geometry, keep

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[int, Sample | None, str]:
        try:
            sample = self.geometry.place(self.images.load(i))
        except CamForgeError as error:
            return i, None, str(error)
        return i, sample if self.keep else None, ""


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
    for i, sample, reason in _loader(_Placed(images, geometry, keep)):
        if reason:
            skipped[images.ids[i]] = reason
        else:
            usable.append(i)
        if sample is not None:
            kept[i] = sample
        if tick is not None:
            tick(len(usable) + len(skipped), len(images))
    _check_labels(images, usable, skipped, every_class)
    return Prepared(
        images,
        geometry,
        torch.tensor(usable),
        images.labels[usable],
        skipped,
        [kept[i] for i in usable] if keep else None,
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
