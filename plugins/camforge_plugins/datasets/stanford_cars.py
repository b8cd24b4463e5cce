"""Stanford Cars in its published layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from camforge.api import Dataset, ImageSet, Split

from .folders import folder_that
from .listing import Box, Entry, Listing, no_mask, wrong_classes
from .mat import read_mat

LAYOUT = (
    "stanford_cars/{cars_train,cars_test}/00001.jpg …, devkit/{cars_meta,cars_train_annos}.mat and "
    "cars_test_annos_withlabels.mat"
)
TRAIN, TEST = "devkit/cars_train_annos.mat", "cars_test_annos_withlabels.mat"
CORNERS = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")


class StanfordCars(Dataset):
    """Stanford Cars: 196 makes and models, 8,144 training and 8,041 test images, one box each (Krause et al. 2013).

    The folders cars_train, cars_test and devkit, and cars_test_annos_withlabels.mat beside them, as torchvision has
    them. The validation split is the published test set. The files count pixels from 1, the far edges inclusive.
    """

    name = "stanford_cars"
    root: Path
    """The folder stanford_cars, or one that holds it."""
    classes: tuple[str, ...] | None = None
    """Which classes, in this order; None: all."""

    def open(self, split: Split) -> ImageSet:
        folder = self._folder()
        annotations = folder / (TRAIN if split == "train" else TEST)
        known = [str(name).strip() for name in read_mat(folder / "devkit" / "cars_meta.mat", "class_names")]
        classes = self.classes if self.classes is not None else tuple(known)
        problems = wrong_classes(classes, known)
        place = {name: c for c, name in enumerate(classes)}
        entries = []
        for row, car in enumerate(read_mat(annotations, "annotations"), 1):
            try:
                file, number, corners = _fields(car, len(known))
            except (KeyError, TypeError, ValueError) as error:
                problems.append(f"{annotations}, row {row}: expected a file, a class and a box ({error!r})")
                continue
            if known[number] in place:
                c = place[known[number]]
                entries.append(_entry(folder / f"cars_{'train' if split == 'train' else 'test'}" / file, c, corners))
        return Listing(
            what=f"dataset 'stanford_cars' ({folder}, {split})",
            classes=classes,
            entries=entries,
            problems=problems,
            read_mask=no_mask,
            options=(self.name, self.version, split),
            every_class=split == "train",
        ).image_set()

    def _folder(self) -> Path:
        tried = (self.root, self.root / "stanford_cars")
        return folder_that(lambda folder: (folder / "devkit").is_dir(), tried, self.name, "folder devkit", LAYOUT)


def _fields(car: Any, classes: int) -> tuple[str, int, list[float]]:
    """File, class from 0, and the four corners of a row of the annotations."""
    file, number = str(car["fname"]), int(car["class"]) - 1
    if Path(file).name != file or not 0 <= number < classes:
        raise ValueError(f"{file}, class {number + 1} of {classes}")
    return file, number, [float(car[key]) for key in CORNERS]


def _entry(file: Path, c: int, corners: list[float]) -> Entry:
    x0, y0, x1, y1 = corners
    box: Box = (c, x0 - 1, y0 - 1, x1, y1)
    return Entry(f"{file.parent.name}/{file.name}", file, (c,), (box,))
