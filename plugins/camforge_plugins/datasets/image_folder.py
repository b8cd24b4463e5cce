"""One folder of images per class."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from unicodedata import normalize

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import IGNORED, CamForgeError, Dataset, ImageSet, Split, read_mask

from .files import read_lines
from .folders import READ, absent, class_folders, held_out, image_files, is_left_behind, refuse_blurred
from .listing import Box, Entry, Listing, Size, number, wrong_classes


class ImageFolder(Dataset):
    """Images in root/<split>/<class>/: the folder's name is the class. Or in root/<class>/, divided by itself.

    masks  a folder with <split>/<class>/<stem>.png for each image: everything but 0 is the object
    boxes  a .csv with the columns image,x0,y0,x1,y1 or a .json {image: [[x0, y0, x1, y1], …]}; images are named by
           their path below root, pixels are counted from 0, x1 and y1 exclusive
    """

    name = "image_folder"
    version = "2"
    root: Path
    """The folder of the splits, or of the class folders."""
    classes: tuple[str, ...] | None = None
    """Which folders, in this order; None: all folders of the training split, sorted."""
    train: str = "train"
    """The folder of the training split below root."""
    val: str = "val"
    """The folder of the validation split below root."""
    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Where root holds class folders and neither split: how much of each class is for validation."""
    seed: int = 0
    """Which images those are."""
    masks: Path | None = None
    ignored: int | None = None
    """A mask value that no metric counts, such as 128 or 255."""
    threshold: Annotated[int, Field(ge=1, le=255)] | None = None
    """Mask values from here on are the object, such as 128 for masks that JPEG or smooth resizing has blurred."""
    boxes: Path | None = None

    def open(self, split: Split) -> ImageSet:
        root, folder, known = self.root, self._folder(split), class_folders(self._folder("train"))
        classes = self.classes if self.classes is not None else tuple(known)
        problems = wrong_classes(classes, known)
        strangers = [] if self.classes is not None else [name for name in class_folders(folder) if name not in known]
        problems += [f"{folder / name}: {_stranger(name, known)}" for name in strangers]
        boxes = _read_boxes(self.boxes, problems) if self.boxes is not None else {}
        entries = [
            self._entry(root, folder, file, c, boxes)
            for c, name in enumerate(classes)
            for file in self._files(folder / name, split)
        ]
        known_images = {_key(file, root) for file in root.glob("*/**/*")} if boxes else set()
        problems += [f"{self.boxes}: there is no image {image!r} below {root}" for image in boxes.keys() - known_images]
        return Listing(
            what=f"dataset 'image_folder' ({folder})",
            classes=classes,
            entries=entries,
            problems=problems,
            read_mask=self._mask,
            options=(self.name, self.version, split, self.ignored, self.threshold),
            every_class=split == "train",
            notes=_beside(folder),
        ).image_set()

    @property
    def _is_divided(self) -> bool:
        """Whether root holds class folders alone. Named splits must be there."""
        named = {"train", "val"} & self.model_fields_set
        return not named and not any((self.root / name).is_dir() for name in (self.train, self.val))

    def _folder(self, split: Split) -> Path:
        root = self.root
        folder = root if self._is_divided else root / (self.train if split == "train" else self.val)
        if not folder.is_dir():
            there = ", ".join(class_folders(root)) if root.is_dir() else ""
            hint = f"; {root} holds {there}: name it by {split!r}" if there else ""
            raise absent(
                "image_folder",
                f"there is no folder {folder}{hint}",
                "ROOT/train/CLASS/*.jpg and ROOT/val/CLASS/*.jpg, or ROOT/CLASS/*.jpg",
            )
        if self._is_divided and not class_folders(folder):
            raise CamForgeError(f"dataset 'image_folder': {folder} holds neither {self.train!r} nor class folders")
        return folder

    def _files(self, folder: Path, split: Split) -> list[Path]:
        """A class's images in a split."""
        files = image_files(folder)
        if not self._is_divided:
            return files
        val = held_out(files, self.val_fraction, f"{self.seed}/{folder.name}")
        return [file for file in files if (file in val) == (split == "val")]

    def _entry(self, root: Path, folder: Path, file: Path, c: int, boxes: dict[str, list[tuple[float, ...]]]) -> Entry:
        mask = None if self.masks is None else self.masks / file.relative_to(root).with_suffix(".png")
        own: tuple[Box, ...] = tuple((c, b[0], b[1], b[2], b[3]) for b in boxes.get(_key(file, root), []))
        return Entry(_key(file, folder), file, (c,), own, mask=mask)

    def _mask(self, entry: Entry, size: Size) -> Tensor | None:
        if entry.mask is None:
            return None
        values = read_mask(entry.mask, size)
        if self.threshold is None:
            refuse_blurred(entry.mask, values, "set dataset.threshold, such as 128")
        mask = torch.where(values >= (self.threshold or 1), 1 + entry.shown[0], 0).to(torch.uint8)
        return mask if self.ignored is None else mask.masked_fill(values == self.ignored, IGNORED)


def _stranger(name: str, known: Sequence[str]) -> str:
    """Why a folder is no class; archives made on a Mac spell é as e and an accent."""
    looks_alike = normalize("NFC", name) in {normalize("NFC", other) for other in known}
    alike = ", but one that is spelt with other Unicode characters and looks the same: rename the folder"
    return f"the training split has no class {name!r}{alike * looks_alike}"


def _beside(folder: Path) -> list[str]:
    """Images that lie in no class folder, told."""
    flat = [file.name for file in sorted(folder.iterdir()) if file.suffix.lower() in READ and file.is_file()]
    flat = [name for name in flat if not is_left_behind(name)]
    shown = ", ".join(flat[:3]) + (" …" if len(flat) > 3 else "")
    return [f"images in no class folder, left out: {len(flat)}, {folder / shown}"] if flat else []


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
