"""From what a reader found in a folder to an image set: one check of everything, labels at once, images on demand."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from camforge.api import CamForgeError, DatasetError, ImageSet, Sample, read_image

from .files import fingerprint, problem_report

Box = tuple[int, float, float, float, float]  # class index, x0, y0, x1, y1 with x1 and y1 exclusive
Size = tuple[int, int]  # height, width
TOLERANCE = 2.0  # pixels by which published boxes leave their images, from rounding


@dataclass(frozen=True)
class Entry:
    """One image of a listing.

    shown  indices of the classes of its image-level label
    size   (height, width) as the annotation has it, or None where it says nothing
    mask   its mask file, or None;  more  other files that its mask is made of
    """

    id: str
    file: Path
    shown: tuple[int, ...]
    boxes: tuple[Box, ...] = ()
    size: Size | None = None
    mask: Path | None = None
    more: tuple[Path, ...] = ()

    @property
    def files(self) -> list[Path]:
        """All that is read of the image."""
        return [self.file, *((self.mask,) if self.mask is not None else ()), *self.more]


def no_mask(entry: Entry, size: Size) -> Tensor | None:
    """For a data set without masks."""
    del entry, size
    return None


@dataclass
class Listing:
    """All entries of a split and all that is wrong with it.

    read_mask   (entry, size) -> (H, W) uint8 as Sample has it, or None
    keep_empty  keep images that show none of the classes
    """

    what: str
    classes: tuple[str, ...]
    entries: list[Entry]
    problems: list[str]
    read_mask: Callable[[Entry, Size], Tensor | None]
    options: object
    every_class: bool = False
    keep_empty: bool = False
    taxonomy: Mapping[str, tuple[str, ...]] | None = None
    notes: list[str] = field(default_factory=list)
    _table: Tensor = field(init=False, repr=False)

    def image_set(self) -> ImageSet:
        """Raises one DatasetError with every problem found; its ``valid_images`` are those that have none."""
        if not self.keep_empty:
            self.entries = [entry for entry in self.entries if entry.shown]
        self._leave_out_flat_boxes()
        self._tabulate()
        wrong = [self._missing(entry) + self._outside(entry) + self._unwritable(entry.id) for entry in self.entries]
        names = [problem for name in self.classes for problem in self._unwritable(name)]
        problems = [*self.problems, *names, *chain(*wrong), *self._repeated(), *self._empty()]
        if not problems:
            return self._images()
        self.entries = [entry for entry, own in zip(self.entries, wrong, strict=True) if not own]
        self._tabulate()
        raise DatasetError(problem_report(self.what, problems), self._images())

    def _leave_out_flat_boxes(self) -> None:
        """Boxes of no area, of which COCO's train2017 has two: their objects stay in labels and masks."""
        flat = [(entry.id, box) for entry in self.entries for box in entry.boxes if _is_flat(box)]
        if flat:
            named = ", ".join(f"{name} ({','.join(f'{v:g}' for v in box[1:])})" for name, box in flat[:5])
            self.notes.append(f"boxes of no area, left out: {len(flat)}, of {named}{' …' if len(flat) > 5 else ''}")
            touched = {name for name, _ in flat}
            self.entries = [
                replace(entry, boxes=tuple(box for box in entry.boxes if not _is_flat(box)))
                if entry.id in touched else entry
                for entry in self.entries
            ]  # fmt: skip

    def _tabulate(self) -> None:
        self._table = torch.zeros(len(self.entries), len(self.classes), dtype=torch.bool)
        for i, entry in enumerate(self.entries):
            self._table[i, list(entry.shown)] = True

    def _images(self) -> ImageSet:
        files = [path for entry in self.entries for path in entry.files]
        facts = [(entry.id, entry.shown, entry.boxes) for entry in self.entries]
        mark = fingerprint(self.options, self.classes, facts, files=files)
        ids = tuple(entry.id for entry in self.entries)
        return ImageSet(self.classes, ids, self._table, self._load, mark, self.taxonomy, tuple(self.notes))

    def _load(self, i: int) -> Sample:
        entry = self.entries[i]
        image = read_image(entry.file, entry.size)
        height, width = image.shape[-2:]
        if entry.size not in (None, (height, width)):
            raise CamForgeError(f"{entry.file}: the image is {width}x{height}, its annotation says {_by(entry.size)}")
        mask = self.read_mask(entry, (height, width))
        sample = Sample(entry.id, image, self._table[i], mask=mask)
        return _with_boxes(sample, entry) if entry.boxes else sample

    def _unwritable(self, name: str) -> list[str]:
        """A name that no report or list could hold: line breaks and the like, bytes that are not UTF-8."""
        return [f"{name!r} cannot be a name: it has control characters, or is not UTF-8"] if _odd(name) else []

    def _missing(self, entry: Entry) -> list[str]:
        return [f"{path} is missing" for path in entry.files if not path.is_file()]

    def _repeated(self) -> list[str]:
        counts = Counter(entry.id for entry in self.entries)
        return [f"image {name!r} is listed {n} times" for name, n in counts.items() if n > 1]

    def _outside(self, entry: Entry) -> list[str]:
        """Boxes that are turned around, or that leave the size that the annotation itself gives."""
        found = []
        height, width = entry.size or (float("inf"), float("inf"))
        for _, x0, y0, x1, y1 in entry.boxes:
            box = f"image {entry.id!r}: box {x0:g},{y0:g},{x1:g},{y1:g}"
            if not (x0 < x1 < float("inf") and y0 < y1 < float("inf")):  # NaN is refused too
                found.append(f"{box} is empty or turned around")
            elif min(x0, y0) < -TOLERANCE or x1 > width + TOLERANCE or y1 > height + TOLERANCE:
                found.append(f"{box} leaves the image of {_by(entry.size)}")
        return found

    def _empty(self) -> list[str]:
        if not len(self.entries):
            return [] if self.problems else [f"no image shows any of {', '.join(self.classes)}"]
        absent = [name for name, n in zip(self.classes, self._table.sum(0).tolist(), strict=True) if n == 0]
        return [f"no image of this split shows {', '.join(absent)}"] if self.every_class and absent else []


def _with_boxes(sample: Sample, entry: Entry) -> Sample:
    """The image with its boxes, clipped to it."""
    height, width = sample.image.shape[-2:]
    boxes = torch.tensor([box[1:] for box in entry.boxes], dtype=torch.float32)
    boxes = boxes.clamp(min=0).minimum(torch.tensor([width, height, width, height], dtype=torch.float32))
    if ((boxes[:, 2:] - boxes[:, :2]) <= 0).any():
        raise CamForgeError(f"{entry.file}: a box lies outside the image of {width}x{height}")
    return replace(sample, boxes=boxes, box_classes=torch.tensor([box[0] for box in entry.boxes], dtype=torch.int64))


def _is_flat(box: Box) -> bool:
    _, x0, y0, x1, y1 = box
    return (x0 == x1 and y0 <= y1) or (y0 == y1 and x0 <= x1)


def _odd(name: str) -> bool:
    return any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)


def _by(size: Size | None) -> str:
    return "unknown size" if size is None else f"{size[1]}x{size[0]}"


def wrong_classes(picked: Sequence[str], known: Sequence[str]) -> list[str]:
    """What is wrong with a choice of classes: unknown names with the nearest known one, repeated names, none at all."""
    problems = []
    for name in dict.fromkeys(picked):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known[:100])}"
            problems.append(f"unknown class {name!r}; {hint}")
        elif list(picked).count(name) > 1:
            problems.append(f"class {name!r} is named more than once")
    return problems if picked else ["no class is picked"]


def number(text: str, where: str, problems: list[str]) -> float | None:
    """The finite number a field holds; otherwise a problem is added."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value - value != 0:
        problems.append(f"{where}: {text!r} is not a number")
        return None
    return value
