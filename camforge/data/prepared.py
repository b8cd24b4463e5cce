"""A split in the network's geometry: decoded once, shared by every network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from camforge.data.feeding import empty, feed
from camforge.data.geometry import Geometry
from camforge.data.on_demand import OnDemandRows
from camforge.data.reading import Unread, read
from camforge.data.rows import Room, Rows, make_rows
from camforge.data.truth import Facts, Truth
from camforge.types import IGNORED, Batch, CamForgeError, ImageSet, Sample

CPU = torch.device("cpu")
PLANES = {"images": range(3), "masks": range(3, 4), "parts": range(4, 5)}
"""The planes of H x W bytes that a row consists of. Those that an image has not are never written, and take no room."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One split in the network's geometry.

    indices  (M,) int64: the usable images, as places in ``dataset``;  labels (M, C) bool
    skipped  image id -> why it was left out (broken file, mask of another size)
    store    a row for every image of ``dataset``: its pixels (3, H, W), its mask and its parts (H, W)
    known    boxes, and who has masks, of the M images
    decoder  the GPU that decoded the JPEGs, or None
    """

    dataset: ImageSet
    geometry: Geometry
    indices: Tensor
    labels: Tensor
    skipped: dict[str, str]
    store: Rows
    known: Truth
    decoder: torch.device | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def truth(self) -> frozenset[str]:
        """Which of "masks", "boxes" and "parts" any usable image has."""
        return self.known.kinds

    def bare(self, kind: str) -> list[str]:
        """The ids of the images that lack what others of the split have: "masks", "boxes" or "parts"."""
        return [self._id(i) for i in self.known.bare(kind).nonzero().flatten().tolist()]

    @property
    def is_kept(self) -> bool:
        """Decoded images are kept, in memory or in a file; if not, they are decoded at each use."""
        return not isinstance(self.store, OnDemandRows)

    @property
    def boxes_from_masks(self) -> bool:
        """The data set has masks and not one box: each box is that of a connected part of a class's mask."""
        return self.known.boxes_from_masks

    def sample(self, i: int) -> Sample:
        """The i-th usable image."""
        values, (boxes, classes) = self._planes([i], CPU), self.known.boxes_at([i])
        mask, parts = (values[name][0] if name in values else None for name in ("masks", "parts"))
        return Sample(self._id(i), values["images"][0], self.labels[i], mask, boxes, classes, parts)

    def without_part(self, places: Sequence[int], classes: Sequence[int], part: int, device: torch.device) -> Tensor:
        """(B, 3, H, W) normalised: images as they were without a part of a class's objects. See ImageSet."""
        draw = self.dataset.without_part
        if draw is None:
            raise CamForgeError("the data set cannot tell what its images look like without a part")
        drawn = [draw(int(self.indices[i]), label, part) for i, label in zip(places, classes, strict=True)]
        return self.geometry.normalise(torch.stack([self.geometry.place(sample).image for sample in drawn]).to(device))

    def pixels(self, places: Sequence[int], device: torch.device = CPU) -> Tensor:
        """(B, 3, H, W) uint8 of the images at some places, on the CPU, whence ``device`` copies them by itself."""
        return self._read("images", places, device)

    def objects(self, places: Sequence[int]) -> Tensor:
        """(B, 1, H, W) float32: 1 on annotated objects, 0 around them, 0.5 where that is not known.

        By an image's mask, of those without by its boxes; of one with neither nothing is known.
        """
        return torch.stack([self._objects(i) for i in places])[:, None]

    def _objects(self, i: int) -> Tensor:
        if self.known.masked[i]:
            mask = self._read("masks", [i], CPU)[0]
            return torch.where(mask == IGNORED, 0.5, (mask > 0).float())
        boxes, (height, width) = self.known.boxes_at([i])[0], self.geometry.sides
        if not len(boxes):
            return torch.full((height, width), 0.5)
        x0, y0, x1, y1 = boxes[:, :, None, None].unbind(1)
        y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
        return ((x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)).any(0).float()

    def batch(self, places: Sequence[int], device: torch.device) -> Batch:
        """The images at some places, normalised."""
        return next(self._batches([places], device))[1]

    def batches(self, size: int, device: torch.device, some: slice = slice(None)) -> Iterator[tuple[list[int], Batch]]:
        """All images in order, normalised, with the places they have in this split; or ``some`` of the batches."""
        starts = range(0, len(self), size)[some]
        return self._batches([list(range(start, min(start + size, len(self)))) for start in starts], device)

    def _batches(self, batches: Sequence[Sequence[int]], device: torch.device) -> Iterator[tuple[list[int], Batch]]:
        loaded = feed(batches, lambda places: self._planes(places, device) | self._annotations(places), device)
        for places, tensors in zip(batches, loaded, strict=True):
            counts = self.known.counts(places)
            yield list(places), Batch(
                ids=tuple(self.dataset.ids[i] for i in self.indices[places].tolist()),
                images=self.geometry.normalise(tensors["images"]),
                labels=tensors["labels"],
                masks=tensors.get("masks"),
                boxes=tensors["boxes"].split(counts),
                box_classes=tensors["classes"].split(counts),
                parts=tensors.get("parts"),
            )  # fmt: skip

    def _annotations(self, places: Sequence[int]) -> dict[str, Tensor]:
        boxes, classes = self.known.boxes_at(places)
        return {"labels": self.labels[list(places)], "boxes": boxes, "classes": classes}

    def _planes(self, places: Sequence[int], device: torch.device) -> dict[str, Tensor]:
        """Pixels, and the masks and parts that all of the images have."""
        there = {"images": True}
        there["masks"] = bool(self.known.masked[list(places)].all())
        there["parts"] = bool(self.known.parted[list(places)].all())
        return {name: self._read(name, places, device) for name, present in there.items() if present}

    def _read(self, name: str, places: Sequence[int], device: torch.device) -> Tensor:
        """Images (B, 3, H, W), or masks or parts (B, H, W)."""
        sides, rows = self.geometry.sides, self.indices[list(places)].tolist()
        planes = PLANES[name]
        shape = (len(rows), len(planes), *sides) if name == "images" else (len(rows), *sides)
        return self.store.read(rows, planes.start * self.geometry.area, empty(shape, device))

    def _id(self, i: int) -> str:
        return self.dataset.ids[int(self.indices[i])]


@dataclass(frozen=True)
class _Placing:
    """Puts an image where it belongs in the network's square and in the rows; what it returns is little."""

    geometry: Geometry
    store: Rows

    def __call__(self, i: int, sample: Sample) -> Facts:
        placed = self.geometry.place(sample)
        planes = {"images": placed.image, "masks": placed.mask, "parts": placed.parts}
        for name, values in planes.items():
            if values is not None:
                self.store.write(i, PLANES[name].start * self.geometry.area, values)
        return Facts.of(sample, placed)


def prepare(
    images: ImageSet,
    geometry: Geometry,
    every_class: bool = True,
    tick: Callable[[int, int], None] | None = None,
    room: Room | None = None,
    decoder: torch.device | None = None,
) -> Prepared:
    """Decode a split once. Broken images are left out by name; with ``every_class``, a class left without is an error.

    tick    called with (done, total) as images come in
    room    for the decoded images: in memory, or in a file that vanishes with the process; what has room in neither is
            decoded anew at each use
    decoder  the GPU that decodes JPEGs and resizes them, which rounds a little otherwise than the CPU
    """
    length = PLANES["parts"].stop * geometry.area
    store = make_rows(len(images), length, room or Room())
    if store is None:
        store = OnDemandRows(images, partial(_Placing, geometry), length, decoder)
    facts: list[Facts] = []
    skipped: dict[str, str] = {}
    usable: list[int] = []
    for i, found in read(images, _Placing(geometry, store), decoder):
        if isinstance(found, Unread):
            skipped[images.ids[i]] = found.reason
        else:
            usable.append(i)
            facts.append(found)
        if tick is not None:
            tick(i + 1, len(images))
    _check_labels(images, usable, skipped, every_class)
    known = Truth.gathered(facts)
    return Prepared(images, geometry, torch.tensor(usable), images.labels[usable], skipped, store, known, decoder)


def _check_labels(images: ImageSet, usable: list[int], skipped: dict[str, str], every_class: bool) -> None:
    if not usable:
        reason = next(iter(skipped.values()), "it is empty")
        raise CamForgeError(f"no image of the split can be used: {reason}")
    empty = [name for name, n in zip(images.classes, images.labels[usable].sum(0).tolist(), strict=True) if n == 0]
    if empty and every_class:
        raise CamForgeError(f"no usable image shows {', '.join(empty)}: leave the class out or add images")
