"""One folder of images per class."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import torch
from torch import Tensor

from camforge.api import IGNORED, CamForgeError, Dataset, ImageSet, Split, read_mask

from .files import read_lines
from .listing import Box, Entry, Listing, Size, number, wrong_classes

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


class ImageFolder(Dataset):
    """Images in root/<split>/<class>/: the folder's name is the class.

    masks  a folder with <split>/<class>/<stem>.png for each image: everything but 0 is the object
    boxes  a .csv with the columns image,x0,y0,x1,y1 or a .json {image: [[x0, y0, x1, y1], …]}; images are named by
           their path below root, pixels are counted from 0, x1 and y1 exclusive
    """

    name = "image_folder"
    root: str
    classes: tuple[str, ...] | None = None
    """Which folders, in this order; None: all folders of the training split, sorted."""
    train: str = "train"
    """The folder of the training split below root."""
    val: str = "val"
    masks: str | None = None
    ignored: int | None = None
    """A mask value that no metric counts, such as 128 or 255."""
    boxes: str | None = None

    def open(self, split: Split) -> ImageSet:
        root, folder = Path(self.root), Path(self.root) / (self.train if split == "train" else self.val)
        known = _folders(Path(self.root) / self.train)
        classes = self.classes if self.classes is not None else tuple(known)
        problems = wrong_classes(classes, known)
        strangers = [] if self.classes is not None else [name for name in _folders(folder) if name not in known]
        problems += [f"{folder / name}: the training split has no class {name!r}" for name in strangers]
        boxes = _read_boxes(Path(self.boxes), problems) if self.boxes is not None else {}
        entries = [
            self._entry(root, folder, file, c, boxes)
            for c, name in enumerate(classes)
            for file in sorted((folder / name).glob("**/*"))
            if file.suffix.lower() in SUFFIXES
        ]
        known_images = {_key(file, root) for file in root.glob("*/**/*")} if boxes else set()
        problems += [f"{self.boxes}: there is no image {image!r} below {root}" for image in boxes.keys() - known_images]
        return Listing(
            what=f"dataset 'image_folder' ({folder})",
            classes=classes,
            entries=entries,
            problems=problems,
            read_mask=self._mask,
            options=(self.name, self.version, split, self.ignored),
            every_class=split == "train",
        ).image_set()

    def _entry(self, root: Path, folder: Path, file: Path, c: int, boxes: dict[str, list[tuple[float, ...]]]) -> Entry:
        mask = None if self.masks is None else Path(self.masks) / file.relative_to(root).with_suffix(".png")
        own: tuple[Box, ...] = tuple((c, b[0], b[1], b[2], b[3]) for b in boxes.get(_key(file, root), []))
        return Entry(_key(file, folder), file, (c,), own, mask=mask)

    def _mask(self, entry: Entry, size: Size) -> Tensor | None:
        if entry.mask is None:
            return None
        values = read_mask(entry.mask, size)
        mask = torch.where(values > 0, 1 + entry.shown[0], 0).to(torch.uint8)
        return mask if self.ignored is None else mask.masked_fill(values == self.ignored, IGNORED)


def _folders(path: Path) -> list[str]:
    if not path.is_dir():
        raise CamForgeError(f"dataset 'image_folder': there is no folder {path}")
    return sorted(child.name for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))


def _key(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _read_boxes(path: Path, problems: list[str]) -> dict[str, list[tuple[float, ...]]]:
    """Boxes by image; what is wrong with a line is added to ``problems`` with its place."""
    try:
        lines = read_lines(path)
    except CamForgeError as error:
        problems.append(str(error))
        return {}
    rows = (_from_json if path.suffix.lower() == ".json" else _from_csv)(path, lines, problems)
    boxes: dict[str, list[tuple[float, ...]]] = {}
    for where, image, corners in rows:
        values = [number(str(corner), where, problems) for corner in corners]
        if len(values) != 4:
            problems.append(f"{where}: a box has four numbers x0, y0, x1, y1, not {len(values)}")
        elif None not in values:
            boxes.setdefault(image, []).append(tuple(v for v in values if v is not None))
    return boxes


def _from_csv(path: Path, lines: list[str], problems: list[str]) -> list[tuple[str, str, list[str]]]:
    reader = csv.DictReader(lines)
    try:
        rows, named = list(reader), reader.fieldnames or []
    except csv.Error as error:  # a quote that nothing closes
        problems.append(f"{path}: broken CSV ({error})")
        return []
    missing = [column for column in ("image", "x0", "y0", "x1", "y1") if column not in named]
    if missing:
        problems.append(
            f"{path}: the first line must name the columns image,x0,y0,x1,y1; missing: {', '.join(missing)}"
        )
        return []
    return [
        (f"{path}, line {i}", row["image"], [row[side] or "" for side in ("x0", "y0", "x1", "y1")])
        for i, row in enumerate(rows, 2)
    ]


def _from_json(path: Path, lines: list[str], problems: list[str]) -> list[tuple[str, str, list[object]]]:
    try:
        content = json.loads("\n".join(lines))
    except (ValueError, RecursionError) as error:
        problems.append(f"{path}: broken JSON ({error})")
        return []
    if not isinstance(content, dict) or not all(isinstance(boxes, list) for boxes in content.values()):
        problems.append(f"{path}: expected {{image: [[x0, y0, x1, y1], …]}}")
        return []
    return [
        (f"{path}, {image!r}", image, box if isinstance(box, list) else [box])
        for image, boxes in content.items()
        for box in boxes
    ]
