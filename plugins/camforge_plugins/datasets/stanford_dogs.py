"""Stanford Dogs in its published layout."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from camforge.api import CamForgeError, Dataset, ImageSet, Split

from .folders import absent
from .listing import Box, Entry, Listing, no_mask, wrong_classes
from .mat import read_mat
from .objects import read_objects

LAYOUT = "Images/n02085620-Chihuahua/….jpg, Annotation/n02085620-Chihuahua/…, {train,test}_list.mat"


class StanfordDogs(Dataset):
    """Stanford Dogs: 120 breeds, 12,000 training and 8,580 test images, a box per dog (Khosla et al. 2011).

    The folders Images and Annotation, and train_list.mat and test_list.mat beside them or in lists. Breeds are named
    without number and underscores ("Japanese spaniel"). The validation split is the published test list. Boxes are
    as the annotations have them, of which ImageNet counts pixels from 0, the far edges exclusive.
    """

    name = "stanford_dogs"
    root: Path
    """The folder that holds Images."""
    classes: tuple[str, ...] | None = None
    """Which breeds, in this order; None: all."""

    def open(self, split: Split) -> ImageSet:
        root = self.root
        if not (root / "Images").is_dir():
            raise absent("stanford_dogs", f"there is no folder {root / 'Images'}", LAYOUT)
        listed = _listed(root, "train_list.mat" if split == "train" else "test_list.mat")
        known = sorted({_breed(file) for file in (*listed, *_listed(root, "train_list.mat"))}, key=str.lower)
        classes = self.classes if self.classes is not None else tuple(known)
        problems = wrong_classes(classes, known)
        place = {name: c for c, name in enumerate(classes)}
        entries = [_entry(root, file, place[_breed(file)], problems) for file in listed if _breed(file) in place]
        return Listing(
            what=f"dataset 'stanford_dogs' ({root}, {split})",
            classes=classes,
            entries=entries,
            problems=problems,
            read_mask=no_mask,
            options=(self.name, self.version, split),
            every_class=split == "train",
        ).image_set()


def _listed(root: Path, name: str) -> list[str]:
    """Images by their path below Images, in the list's order."""
    beside = root / name
    path = beside if beside.is_file() else root / "lists" / name
    if not path.is_file():
        raise CamForgeError(f"dataset 'stanford_dogs': there is no {name} in {root} or {path.parent}")
    files = read_mat(path, "file_list")
    odd = [file for file in files if not _is_image(file)]
    if odd:
        raise CamForgeError(f"{path}: expected paths such as n02085620-Chihuahua/n02085620_7.jpg, not {odd[0]!r}")
    return files


def _is_image(file: object) -> bool:
    parts = PurePosixPath(file).parts if isinstance(file, str) else ()
    return len(parts) == 2 and ".." not in parts and "-" in parts[0]


def _breed(file: str) -> str:
    return file.partition("/")[0].partition("-")[2].replace("_", " ")


def _entry(root: Path, file: str, c: int, problems: list[str]) -> Entry:
    boxes: tuple[Box, ...] = ()
    try:
        _, dogs = read_objects(root / "Annotation" / PurePosixPath(file).with_suffix(""))
        boxes = tuple((c, *corners) for _, corners, _ in dogs)
    except CamForgeError as error:
        problems.append(str(error))
    return Entry(file, root / "Images" / file, (c,), boxes)
