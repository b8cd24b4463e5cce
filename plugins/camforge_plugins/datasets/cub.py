"""CUB-200-2011 in its published layout."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from camforge.api import CamForgeError, Dataset, ImageSet, Split, read_mask

from .files import read_lines
from .folders import folder_that
from .listing import Box, Entry, Listing, Size, number, wrong_classes

LAYOUT = (
    "CUB_200_2011/images/CLASS/*.jpg, with images.txt, classes.txt, image_class_labels.txt, bounding_boxes.txt and "
    "train_test_split.txt beside images"
)


class CUB(Dataset):
    """Caltech-UCSD Birds 200-2011 with the official split and boxes (Wah et al. 2011).

    Classes are named without number and underscores ("Black footed Albatross"). Masks come from the folder
    ``segmentations``, which is published apart, where it is there: 128 and more, half the annotators, is bird.
    """

    name = "cub"
    root: Path
    """The folder CUB_200_2011, or one that holds it."""
    classes: tuple[str, ...] | None = None
    """Which classes, in this order; None: all."""

    def open(self, split: Split) -> ImageSet:
        folder = self._folder()
        problems: list[str] = []
        names, files, labels, boxes, trained = (
            _table(folder / f"{name}.txt", problems)
            for name in ("classes", "images", "image_class_labels", "bounding_boxes", "train_test_split")
        )
        known = {number: name.partition(".")[2].replace("_", " ") or name for number, name in names.items()}
        classes = self.classes if self.classes is not None else tuple(known.values())
        problems += wrong_classes(classes, list(known.values()))
        place = {number: classes.index(name) for number, name in known.items() if name in classes}
        entries = []
        for image, file in files.items():
            where = f"{folder}: image {image} ({file})"
            absent = [
                what for what, table in (("label", labels), ("box", boxes), ("split", trained)) if image not in table
            ]
            if absent:
                problems.append(f"{where} has no {', '.join(absent)}")
            elif labels[image] not in known:
                problems.append(f"{where}: unknown class number {labels[image]!r}")
            elif (trained[image] == "1") == (split == "train") and labels[image] in place:
                entries.append(_entry(folder, file, place[labels[image]], boxes[image], where, problems))
        return Listing(
            what=f"dataset 'cub' ({folder}, {split})",
            classes=classes,
            entries=entries,
            problems=problems,
            read_mask=_mask,
            options=(self.name, self.version, split),
            every_class=split == "train",
        ).image_set()

    def _folder(self) -> Path:
        tried = (self.root, self.root / "CUB_200_2011")
        return folder_that(lambda folder: (folder / "images.txt").is_file(), tried, self.name, "images.txt", LAYOUT)


def _table(path: Path, problems: list[str]) -> dict[str, str]:
    """A file of lines "key value" as {key: value}."""
    try:
        lines = read_lines(path)
    except CamForgeError as error:
        problems.append(str(error))
        return {}
    problems += [
        f"{path}, line {i}: expected a number and a value" for i, line in enumerate(lines, 1) if len(line.split()) < 2
    ]
    return dict(line.split(maxsplit=1) for line in lines if len(line.split()) > 1)


def _entry(folder: Path, file: str, c: int, box: str, where: str, problems: list[str]) -> Entry:
    values = [number(text, f"{where}: box", problems) for text in box.split()]
    if len(values) != 4:
        problems.append(f"{where}: a box has four numbers x, y, width, height, not {box!r}")
    boxes: tuple[Box, ...] = ()
    if len(values) == 4 and None not in values:
        x, y, width, height = (v for v in values if v is not None)
        boxes = ((c, x, y, x + width, y + height),)
    mask = (folder / "segmentations" / file).with_suffix(".png")
    return Entry(file, folder / "images" / file, (c,), boxes, mask=mask if mask.parents[1].is_dir() else None)


def _mask(entry: Entry, size: Size) -> Tensor | None:
    if entry.mask is None:
        return None
    return torch.where(read_mask(entry.mask, size) >= 128, 1 + entry.shown[0], 0).to(torch.uint8)
