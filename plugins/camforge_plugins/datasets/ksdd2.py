"""KolektorSDD2 in its published layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
from pydantic import Field
from torch import Tensor

from camforge.api import CamForgeError, Dataset, ImageSet, Split, read_mask

from .folders import absent, held_out, refuse_blurred
from .listing import Box, Entry, Listing, Size


class KSDD2(Dataset):
    """Surface defects (Bozic et al. 2021): train/10000.png with 10000_GT.png, one class "defect", sound images kept.

    The validation split is the published test folder, or a part of the training folder (``val_fraction``), so that
    options can be chosen without the test images. Boxes are those of the defects' connected parts.
    """

    name = "ksdd2"
    root: Path
    """The folder that holds train and test."""
    val_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """How much of train is for validation, of the defective and of the sound images each; None: the folder test is."""
    seed: int = 0
    """Which images those are."""

    def open(self, split: Split) -> ImageSet:
        folder = self.root / ("train" if split == "train" or self.val_fraction else "test")
        if not folder.is_dir():
            raise absent("ksdd2", f"there is no folder {folder}", "train/10000.png, train/10000_GT.png …, test/…")
        files = sorted(file for file in folder.glob("[!.]*.png") if not file.stem.endswith("_GT"))
        known = {file.stem for file in files}
        problems = [
            f"{mask}: its image {mask.stem.removesuffix('_GT')}.png is missing"
            for mask in sorted(folder.glob("[!.]*_GT.png"))
            if mask.stem.removesuffix("_GT") not in known
        ]
        entries = self._divided([_entry(file, problems) for file in files], split)
        return Listing(
            what=f"dataset 'ksdd2' ({folder})",
            classes=("defect",),
            entries=entries,
            problems=problems,
            read_mask=_mask,
            options=(self.name, self.version, split, *([self.val_fraction, self.seed] if self.val_fraction else [])),
            every_class=split == "train",
            keep_empty=True,
        ).image_set()

    def _divided(self, entries: list[Entry], split: Split) -> list[Entry]:
        """The split's part of the training folder where ``val_fraction`` divides it, otherwise all."""
        if self.val_fraction is None:
            return entries
        val: set[Path] = set()
        for kind in ("sound", "defective"):
            files = [entry.file for entry in entries if bool(entry.shown) == (kind == "defective")]
            val |= held_out(files, self.val_fraction, f"{self.seed}/{kind}")
        return [entry for entry in entries if (entry.file in val) == (split == "val")]


def _entry(file: Path, problems: list[str]) -> Entry:
    """Whether an image is defective is written nowhere but in its mask, which is read here; the image is not."""
    mask = file.with_name(f"{file.stem}_GT.png")
    boxes: tuple[Box, ...] = ()
    if mask.is_file():
        try:
            parts = cv2.connectedComponentsWithStats((read_mask(mask).numpy() > 0).astype("uint8"), connectivity=8)[2]
            boxes = tuple((0, x, y, x + width, y + height) for x, y, width, height, _ in parts[1:].tolist())
        except CamForgeError as error:
            problems.append(str(error))
    return Entry(file.stem, file, (0,) if boxes else (), boxes, mask=mask)


def _mask(entry: Entry, size: Size) -> Tensor | None:
    if entry.mask is None:
        return None
    values = read_mask(entry.mask, size)
    refuse_blurred(entry.mask, values, "its published masks are not")
    return values.clamp(max=1)
