"""Image sets in the metadata layout of wsolevaluation (Choe et al. 2020): ILSVRC, CUB, OpenImages and others."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from camforge.api import IGNORED, CamForgeError, Dataset, ImageSet, Split, read_mask

from .files import read_lines, refuse
from .folders import absent
from .listing import Box, Entry, Listing, Size, number, wrong_classes

LAYOUT = (
    "metadata/SPLIT/{image_ids,class_labels,image_sizes,localization}.txt, and the images that they name below root"
)
Corners = tuple[float, float, float, float]
Masks = tuple[list[Path], list[Path]]
"""The objects' masks of an image, and that of what is to be ignored."""


class WSOL(Dataset):
    """Images named by image_ids.txt, with class_labels.txt, image_sizes.txt and localization.txt beside it.

    localization.txt holds boxes x0, y0, x1, y1 in pixels of the stored image, or, as for OpenImages, per object a mask
    and once per image a mask of what is ignored outside of its objects; a mask may have another size than its image.
    The published train list is train-weaksup, which has neither, val is train-fullsup, which chooses hyper-parameters,
    and test is to be read once, at the end.
    """

    name = "wsol"
    version = "2"
    root: Path
    """The folder that image ids are relative to."""
    metadata: Path
    """The folder that holds one folder of lists per split, such as metadata/ILSVRC."""
    train: str = "train"
    """The folder of the training split's lists below ``metadata``."""
    val: str = "val"
    """The published folders are train, val (train-fullsup: for choosing) and test."""
    masks: Path | None = None
    """The folder that paths of masks are relative to; None: ``root``."""
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
        boxes, masks = self._located(folder / "localization.txt", split, problems)
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
                objects, ignored = masks.get(image, ([], []))
                first, more = objects[0] if objects else None, (*objects[1:], *ignored)
                entries.append(Entry(image, self.root / image, (c,), own, sizes.get(image), first, more))
        return Listing(
            what=f"dataset 'wsol' ({folder})",
            classes=classes,
            entries=entries,
            problems=problems,
            read_mask=partial(_mask, masks),
            options=(self.name, self.version, split),
            every_class=split == "train",
        ).image_set()

    def _located(
        self, path: Path, split: Split, problems: list[str]
    ) -> tuple[dict[str, list[Corners]], dict[str, Masks]]:
        """Boxes or masks by image, whichever the file's first line has. That of training lists may be absent."""
        if split == "train" and not path.exists():
            return {}, {}
        lines = read_lines(path) if path.is_file() else []
        if lines and lines[0].count(",") == 2:
            return {}, _masks(path, self.masks or self.root, problems)
        return _boxes(path, problems), {}

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


def _boxes(path: Path, problems: list[str]) -> dict[str, list[Corners]]:
    """Boxes by image."""
    boxes: dict[str, list[Corners]] = {}
    for image, *texts in _rows(path, 5, problems):
        x0, y0, x1, y1 = (number(text, f"{path}: image {image!r}", problems) for text in texts)
        if x0 is not None and y0 is not None and x1 is not None and y1 is not None:
            boxes.setdefault(image, []).append((x0, y0, x1, y1))
    return boxes


def _masks(path: Path, root: Path, problems: list[str]) -> dict[str, Masks]:
    """Masks by image; the one that is ignored stands in the line of an image's first object."""
    found: dict[str, Masks] = {}
    for image, mask, ignored in _rows(path, 3, problems):
        wrong = [name for name in (mask, ignored) if Path(name).is_absolute() or ".." in Path(name).parts]
        if wrong or not mask:
            problems.append(
                f"{path}: image {image!r}: expected the path of a mask below {root}, not {(wrong or [mask])[0]!r}"
            )
            continue
        objects, outside = found.setdefault(image, ([], []))
        objects.append(root / mask)
        outside += [root / ignored] if ignored else []
    return found


def _mask(masks: dict[str, Masks], entry: Entry, size: Size) -> Tensor | None:
    """The union of an image's masks; what only the other mask holds is ignored. None where it has no mask."""
    if entry.id not in masks:
        return None
    inside, outside = (_union(paths, size) for paths in masks[entry.id])
    return torch.where(inside, 1 + entry.shown[0], torch.where(outside, IGNORED, 0)).to(torch.uint8)


def _union(paths: list[Path], size: Size) -> Tensor:
    """(H, W) bool: where any of the masks is not 0, each brought to the image's size by its nearest pixels."""
    union = torch.zeros(size, dtype=torch.bool)
    for path in paths:
        values = read_mask(path)[None, None].float()
        union |= interpolate(values, size=size, mode="nearest-exact")[0, 0] > 0
    return union
