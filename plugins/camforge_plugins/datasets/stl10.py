"""STL-10 in its published layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from camforge.api import CamForgeError, Dataset, ImageSet, Sample, Split

from .files import fingerprint, read_lines, refuse
from .folders import folder_that
from .listing import wrong_classes

LAYOUT = "stl10_binary/{train,test}_{X,y}.bin, class_names.txt, fold_indices.txt"
SIDE = 96
SIZE = 3 * SIDE * SIDE  # bytes of an image


class STL10(Dataset):
    """STL-10: ten classes, 500 training and 800 test images each, 96x96 pixels (Coates et al. 2011).

    The validation split is the published test set. The unlabelled images are not read; there are no boxes and no masks.
    """

    name = "stl10"
    root: Path
    """The folder stl10_binary, or one that holds it."""
    classes: tuple[str, ...] | None = None
    """Which classes, in this order; None: all."""
    fold: Annotated[int, Field(ge=0, le=9)] | None = None
    """One of the ten published folds of 1,000 training images; None: all 5,000."""

    def open(self, split: Split) -> ImageSet:
        folder = self._folder()
        images, labels = (folder / f"{'train' if split == 'train' else 'test'}_{part}.bin" for part in "Xy")
        known = read_lines(folder / "class_names.txt")
        numbers = _numbers(images, labels, len(known))
        classes = self.classes if self.classes is not None else tuple(known)
        refuse(f"dataset 'stl10' ({folder})", wrong_classes(classes, known))
        rows = self._fold(folder, len(numbers)) if self.fold is not None and split == "train" else range(len(numbers))
        place = torch.tensor([classes.index(name) if name in classes else -1 for name in known])
        shown = place[torch.from_numpy(numbers).long()][list(rows)]
        chosen = [row for row, c in zip(rows, shown.tolist(), strict=True) if c >= 0]
        table = torch.nn.functional.one_hot(shown[shown >= 0], len(classes)).bool()
        absent = [name for name, n in zip(classes, table.sum(0).tolist(), strict=True) if n == 0]
        refuse(f"dataset 'stl10' ({folder})", [f"no image of this split shows {name}" for name in absent])
        ids = tuple(f"{images.stem}/{row}" for row in chosen)
        mark = fingerprint(self.name, self.version, split, classes, chosen, files=(images, labels))
        return ImageSet(classes, ids, table, _Rows(images, tuple(chosen), ids, table).load, mark)

    def _folder(self) -> Path:
        tried = (self.root, self.root / "stl10_binary")
        return folder_that(lambda folder: (folder / "train_X.bin").is_file(), tried, self.name, "train_X.bin", LAYOUT)

    def _fold(self, folder: Path, count: int) -> list[int]:
        """The rows of a fold, in order."""
        path = folder / "fold_indices.txt"
        lines = read_lines(path)
        if len(lines) <= (self.fold or 0):
            raise CamForgeError(f"{path}: {len(lines)} folds, expected ten")
        words = lines[self.fold or 0].split()
        if not all(word.isdecimal() and len(word) < 9 and int(word) < count for word in words):
            raise CamForgeError(f"{path}, line {1 + (self.fold or 0)}: expected row numbers below {count}")
        return sorted({int(word) for word in words})


@dataclass(frozen=True, eq=False)
class _Rows:
    """The chosen rows of a file of images, read one at a time."""

    file: Path
    rows: tuple[int, ...]
    ids: tuple[str, ...]
    labels: torch.Tensor

    def load(self, i: int) -> Sample:
        try:
            columns = np.fromfile(self.file, np.uint8, SIZE, offset=self.rows[i] * SIZE).reshape(3, SIDE, SIDE)
        except (OSError, ValueError) as error:
            raise CamForgeError(f"{self.file}: image {self.rows[i]} cannot be read ({error})") from None
        pixels = torch.from_numpy(columns).transpose(1, 2).contiguous()  # stored column by column
        return Sample(self.ids[i], pixels, self.labels[i])


def _numbers(images: Path, labels: Path, count: int) -> np.ndarray:
    """The class number of every image, from 0. Raises CamForgeError where the two files do not belong together."""
    for path in (images, labels):
        if not path.is_file():
            raise CamForgeError(f"{path} is missing")
    numbers = np.fromfile(labels, np.uint8)
    rows, rest = divmod(images.stat().st_size, SIZE)
    if rest or rows != len(numbers):
        raise CamForgeError(f"{images}: {rows} images and {rest} bytes, {labels.name} has {len(numbers)} labels")
    if not len(numbers) or numbers.min() < 1 or numbers.max() > count:
        raise CamForgeError(f"{labels}: expected class numbers from 1 to {count}, the lines of class_names.txt")
    return numbers - 1
