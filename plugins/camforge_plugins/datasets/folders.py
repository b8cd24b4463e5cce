"""Folders as people have them: image files, without what systems and tools leave beside them; class folders divided."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from camforge.api import CamForgeError

READ = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".heic", ".heif"}
UNREAD = {".jp2", ".j2k", ".jxl", ".ppm", ".pgm", ".tga", ".psd", ".svg", ".dng", ".cr2", ".nef", ".arw", ".raw"}
"""Suffixes of photographs that decoders mostly refuse: each is told in one line, rather than passed over."""
LEFT_BEHIND = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
LEVELS = 8  # values between background and object from which on a mask counts as blurred


def absent(dataset: str, problem: str, layout: str) -> CamForgeError:
    """The error of a data set that is not where it was looked for: what it would look like there."""
    return CamForgeError(f"dataset {dataset!r}: {problem}; it is laid out as {layout}")


def folder_that(holds: Callable[[Path], bool], tried: Sequence[Path], dataset: str, what: str, layout: str) -> Path:
    """The first folder that holds what the data set is known by. Raises CamForgeError where none does."""
    for folder in tried:
        if holds(folder):
            return folder
    raise absent(dataset, f"no {what} in {' or '.join(map(str, tried))}", layout)


def is_left_behind(name: str) -> bool:
    """Whether a file or folder is a system's or a tool's own: ._x.jpg, .ipynb_checkpoints, __MACOSX."""
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def image_files(folder: Path) -> list[Path]:
    """All image files at any depth, sorted."""
    return [
        file
        for file in sorted(folder.glob("**/*"))
        if file.suffix.lower() in READ | UNREAD and not any(map(is_left_behind, file.relative_to(folder).parts))
    ]


def class_folders(folder: Path) -> list[str]:
    """The names of the folders in it, sorted."""
    return sorted(child.name for child in folder.iterdir() if child.is_dir() and not is_left_behind(child.name))


def held_out(files: Sequence[Path], fraction: float, key: str) -> set[Path]:
    """The part of a class's files that is for validation: of two or more at least one, and never all.

    key  what the choice depends on, beside the files: the same for the same key on every machine
    """
    count = min(max(1, round(len(files) * fraction)), len(files) - 1)
    return set(random.Random(key).sample(list(files), count)) if count > 0 else set()


def blurred_levels(mask: Tensor) -> int:
    """How many values a mask (H, W) uint8 has between background and object, as JPEG and smooth resizing leave them.

    0 where they are no blur: the two commonest values must be near 0 and above 127, and each other one rare, so that
    numbered instances do not count.
    """
    counts = mask.flatten().bincount(minlength=256)
    common = counts.topk(2).indices.sort().values
    between = counts.clone()
    between[common] = 0
    levels = int((between > 0).sum())
    rare = int(between.sum()) < levels * mask.numel() / 100
    return levels if common[0] < LEVELS and common[1] > 127 and rare and levels >= LEVELS else 0


def refuse_blurred(path: Path, mask: Tensor, advice: str) -> None:
    """Raise CamForgeError where everything but 0 would be the object, and a rim of blur with it."""
    if levels := blurred_levels(mask):
        raise CamForgeError(
            f"{path}: a mask with {levels} values between its two, blurred by JPEG or resizing; {advice}"
        )
