"""PASCAL VOC 2012 in its published layout."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from camforge.api import IGNORED, CamForgeError, Dataset, ImageSet, Split, read_mask

from .files import read_lines, refuse
from .folders import folder_that
from .listing import Box, Entry, Listing, Size, wrong_classes
from .objects import Corners, read_objects

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


LAYOUT = (
    "VOCdevkit/VOC2012/{JPEGImages/*.jpg, Annotations/*.xml, SegmentationClass/*.png, ImageSets/Segmentation/*.txt}"
)


class VOC(Dataset):
    """PASCAL VOC 2012: JPEGImages, Annotations, SegmentationClass and ImageSets, as published.

    Image-level labels come from the annotations' objects. Images that show none of the picked classes are left out;
    mask pixels of classes that were not picked count as background. Training images may lack a mask.
    """

    name = "voc"
    version = "2"
    root: Path
    """The folder VOC2012, or one that holds VOC2012 or VOCdevkit/VOC2012."""
    classes: tuple[str, ...] = CLASSES
    """Which classes, in this order."""
    train: str = "Segmentation/train"
    """The list of training images under ImageSets; SBD's 10,582 are usually in Segmentation/train_aug."""
    val: str = "Segmentation/val"
    """The list of validation images."""
    masks: str = "SegmentationClass"
    """The folder of masks; those that come with SBD's list are usually in SegmentationClassAug."""
    difficult: bool = True
    """Keep objects that are marked as difficult, in labels and boxes."""

    def open(self, split: Split) -> ImageSet:
        folder = self._folder()
        problems = wrong_classes(self.classes, CLASSES)
        image_set = self.train if split == "train" else self.val
        must_have_masks = split == "val" and image_set.startswith("Segmentation/")
        entries: list[Entry] = []
        for image_id in self._listed(folder, image_set):
            try:
                entries.append(self._entry(folder, image_id, must_have_masks))
            except CamForgeError as error:
                problems.append(str(error))
        return Listing(
            what=f"dataset 'voc' ({folder}, {image_set})",
            classes=self.classes,
            entries=entries,
            problems=problems,
            read_mask=self._mask,
            options=(self.name, self.version, image_set, self.difficult),
            every_class=split == "train",
        ).image_set()

    def _folder(self) -> Path:
        tried = [self.root, self.root / "VOC2012", self.root / "VOCdevkit" / "VOC2012"]
        return folder_that(
            lambda folder: (folder / "JPEGImages").is_dir(), tried, self.name, "folder JPEGImages", LAYOUT
        )

    def _listed(self, folder: Path, image_set: str) -> list[str]:
        """Image ids of a list: plain ids, ids with a flag (ImageSets/Main), or paths of images (lists made for SBD)."""
        path = folder / "ImageSets" / f"{image_set}.txt"
        if not path.is_file():
            known = sorted(str(p.relative_to(folder / "ImageSets"))[:-4] for p in folder.glob("ImageSets/*/*.txt"))
            raise CamForgeError(f"dataset 'voc': there is no list {path}; known: {', '.join(known) or 'none'}")
        return [Path(line.split()[0]).stem for line in read_lines(path)]

    def _entry(self, folder: Path, image_id: str, must_have_mask: bool) -> Entry:
        size, objects = read_annotation(folder / "Annotations" / f"{image_id}.xml", self.difficult)
        boxes: tuple[Box, ...] = tuple(
            (self.classes.index(name), *box) for name, box in objects if name in self.classes
        )
        mask = folder / self.masks / f"{image_id}.png"
        return Entry(
            id=image_id,
            file=folder / "JPEGImages" / f"{image_id}.jpg",
            shown=tuple(sorted({box[0] for box in boxes})),
            boxes=boxes,
            size=size,
            mask=mask if must_have_mask or mask.is_file() else None,
        )

    def _mask(self, entry: Entry, size: Size) -> Tensor | None:
        """VOC's class numbers -> 1 + place among the picked classes; classes that were not picked -> 0."""
        if entry.mask is None:
            return None
        numbers = read_mask(entry.mask, size)
        if ((numbers > len(CLASSES)) & (numbers != IGNORED)).any():
            raise CamForgeError(f"{entry.mask}: values other than 0-{len(CLASSES)} and {IGNORED} in a VOC mask")
        table = torch.zeros(256, dtype=torch.uint8)
        table[IGNORED] = IGNORED
        for place, name in enumerate(self.classes):
            table[CLASSES.index(name) + 1] = place + 1
        return table[numbers.long()]


def read_annotation(path: Path, difficult: bool = True) -> tuple[Size | None, list[tuple[str, Corners]]]:
    """Size and objects (class name, (x0, y0, x1, y1) with x1 and y1 exclusive) of one annotation file.

    Coordinates are stored 1-based and inclusive. Raises CamForgeError that names the file.
    """
    size, objects = read_objects(path)
    kept = [(name, corners) for name, corners, is_difficult in objects if difficult or not is_difficult]
    refuse(str(path), [problem for name, _ in kept for problem in wrong_classes([name], CLASSES)])
    return size, [(name, (x0 - 1, y0 - 1, x1, y1)) for name, (x0, y0, x1, y1) in kept]
