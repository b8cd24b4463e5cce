"""Image sets in the metadata layout of wsolevaluation (Choe et al. 2020): ILSVRC, CUB and others."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from camforge.api import CamForgeError, Dataset, ImageSet, Split

from .files import read_lines, refuse
from .folders import absent
from .listing import Box, Entry, Listing, Size, number, wrong_classes

LAYOUT = (
    "metadata/SPLIT/{image_ids,class_labels,image_sizes,localization}.txt, and the images that they name below root"
)


class WSOL(Dataset):
    """Images named by image_ids.txt, with class_labels.txt, image_sizes.txt and localization.txt (boxes) beside it.

    Boxes are x0, y0, x1, y1 in pixels of the stored image, as the files have them. There are no masks.
    """

    name = "wsol"
    root: Path
    """The folder that image ids are relative to."""
    metadata: Path
    """The folder that holds one folder of lists per split, such as metadata/ILSVRC."""
    train: str = "train"
    """The folder of the training split's lists below ``metadata``."""
    val: str = "val"
    """The published folders are train, val (for choosing thresholds) and test."""
    names: str | Path | None = None
    """Names of the classes: "imagenet", or a text file with one name per line in the order of the class numbers."""
    classes: tuple[str, ...] | None = None
    """Which classes, in this order; None: all."""

    def open(self, split: Split) -> ImageSet:
        folder = self.metadata / (self.train if split == "train" else self.val)
        if not folder.is_dir():
            raise absent("wsol", f"there is no folder {folder}", LAYOUT)
        problems: list[str] = []
        ids = _rows(folder / "image_ids.txt", 1, problems)
        labels = {row[0]: row[1] for row in _rows(folder / "class_labels.txt", 2, problems)}
        sizes = _sizes(folder / "image_sizes.txt", problems)
        boxes = _boxes(folder / "localization.txt", split, problems)
        refuse(f"dataset 'wsol' ({folder})", problems)
        known = self._known()
        classes = self.classes if self.classes is not None else tuple(known)
        problems += wrong_classes(classes, known)
        place = {name: c for c, name in enumerate(classes)}
        entries = []
        for (image,) in ids:
            label = labels.get(image, "")
            if not (_is_class(label) and int(label) < len(known)):
                problems.append(f"{folder}: image {image!r} has no class number from 0 to {len(known) - 1}: {label!r}")
            elif known[int(label)] in place:
                c = place[known[int(label)]]
                own: tuple[Box, ...] = tuple((c, *box) for box in boxes.get(image, []))
                entries.append(Entry(image, self.root / image, (c,), own, sizes.get(image)))
        return Listing(
            what=f"dataset 'wsol' ({folder})",
            classes=classes,
            entries=entries,
            problems=problems,
            read_mask=_no_mask,
            options=(self.name, self.version, split),
            every_class=split == "train",
        ).image_set()

    def _known(self) -> list[str]:
        """The name of each class number. Without ``names``, the training split's labels tell how many there are."""
        if self.names == "imagenet":
            from torchvision.models import ResNet18_Weights

            return _told_apart(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
        if self.names is not None:
            return _told_apart(read_lines(Path(self.names)))
        problems: list[str] = []
        path = self.metadata / self.train / "class_labels.txt"
        numbers = [int(row[1]) for row in _rows(path, 2, problems) if _is_class(row[1])]
        refuse("dataset 'wsol'", problems)
        return [f"class {c}" for c in range(max(numbers, default=-1) + 1)]


def _is_class(text: str) -> bool:
    """A class number; one of more digits than any data set needs is damage, and would be that many classes."""
    return text.isdecimal() and len(text) <= 6


def _told_apart(names: list[str]) -> list[str]:
    """ImageNet has two cranes: a name that came before gets a number."""
    return [f"{name} {1 + names[:i].count(name)}" if name in names[:i] else name for i, name in enumerate(names)]


def _rows(path: Path, fields: int, problems: list[str]) -> list[list[str]]:
    """Lines of comma-separated fields; those with another number of fields are told with their place."""
    try:
        rows = [line.split(",") for line in read_lines(path)]
    except CamForgeError as error:
        problems.append(str(error))
        return []
    wrong = [i for i, row in enumerate(rows, 1) if len(row) != fields]
    problems += [f"{path}, line {i}: {len(rows[i - 1])} fields, expected {fields}" for i in wrong]
    return [row for row in rows if len(row) == fields]


def _sizes(path: Path, problems: list[str]) -> dict[str, Size]:
    """(height, width) by image; the file has width before height."""
    sizes = {}
    for image, *texts in _rows(path, 3, problems):
        width, height = (number(text, f"{path}: image {image!r}", problems) for text in texts)
        if width is not None and height is not None:
            sizes[image] = (int(height), int(width))
    return sizes


def _boxes(path: Path, split: Split, problems: list[str]) -> dict[str, list[tuple[float, float, float, float]]]:
    """Boxes by image. Training lists have none: their file may be absent."""
    if split == "train" and not path.exists():
        return {}
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    for image, *texts in _rows(path, 5, problems):
        x0, y0, x1, y1 = (number(text, f"{path}: image {image!r}", problems) for text in texts)
        if x0 is not None and y0 is not None and x1 is not None and y1 is not None:
            boxes.setdefault(image, []).append((x0, y0, x1, y1))
    return boxes


def _no_mask(entry: Entry, size: Size) -> Tensor | None:
    del entry, size
    return None
