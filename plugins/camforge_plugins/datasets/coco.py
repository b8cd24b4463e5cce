"""COCO 2017 in its published layout."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from camforge.api import IGNORED, CamForgeError, Dataset, ImageSet, Split

from .files import refuse
from .folders import absent
from .listing import Box, Entry, Listing, Size, no_mask, wrong_classes
from .outlines import wrong_outline

if TYPE_CHECKING:
    from pycocotools.coco import COCO as Annotations

_KEY, _NUMBER = (int, str), (int, float)
_FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "images": {"id": _KEY, "file_name": (str,), "width": (int,), "height": (int,)},
    "annotations": {"id": _KEY, "image_id": _KEY, "category_id": _KEY, "bbox": (list,)},
    "categories": {"id": _KEY, "name": (str,)},
}
_OPTIONAL: dict[str, dict[str, tuple[type, ...]]] = {
    "images": {},
    "annotations": {"area": _NUMBER, "iscrowd": (int,), "segmentation": (list, dict, type(None))},
    "categories": {"supercategory": (str,)},
}


LAYOUT = "train2017/*.jpg, val2017/*.jpg, annotations/instances_train2017.json, annotations/instances_val2017.json"


class COCO(Dataset):
    """COCO 2017: train2017, val2017 and annotations/instances_*.json, read with pycocotools.

    Objects become class masks, the smaller ones in front; of an object without an outline the box is ignored, and a
    file without any has boxes alone. Images that show none of the picked classes are left out.
    The super-categories are the taxonomy.
    """

    name = "coco"
    version = "2"
    root: Path
    """The folder that holds train2017, val2017 and annotations."""
    classes: tuple[str, ...] | None = None
    """Which classes, in this order; None: all, in the file's order."""
    crowd: Literal["ignore", "keep"] = "ignore"
    """Regions marked as crowds: mask pixels that no metric counts and no label, or objects like the others."""

    def open(self, split: Split) -> ImageSet:
        root = self.root
        path = root / "annotations" / f"instances_{split}2017.json"
        if not path.is_file():
            raise absent("coco", f"there is no {path}", LAYOUT)
        found = _read(path)
        categories = found.dataset["categories"]
        known = [category["name"] for category in categories]
        classes = self.classes if self.classes is not None else tuple(known)
        problems = wrong_classes(classes, known)
        place = {c["id"]: classes.index(c["name"]) for c in categories if c["name"] in classes}
        problems += _dangling(found.dataset, path)
        entries = [
            self._entry(root / f"{split}2017", image, found.imgToAnns[image["id"]], place)
            for image in sorted(found.dataset["images"], key=lambda image: image["file_name"])
        ]
        outlined = any(_has_outline(thing) for thing in found.dataset["annotations"])
        numbers = {_image_id(image): image["id"] for image in found.imgs.values()}
        families: dict[str, list[str]] = defaultdict(list)
        for category in categories:
            if category["name"] in classes:
                families[category.get("supercategory", "other")].append(category["name"])
        return Listing(
            what=f"dataset 'coco' ({path})",
            classes=classes,
            entries=entries,
            problems=problems,
            read_mask=partial(self._mask, found, numbers, place) if outlined else no_mask,
            options=(self.name, self.version, split, self.crowd),
            every_class=split == "train",
            taxonomy={family: tuple(names) for family, names in families.items()},
            notes=_notes(found) if outlined else [],
        ).image_set()

    def _entry(self, folder: Path, image: dict[str, Any], objects: list[Any], place: dict[int, int]) -> Entry:
        boxes: list[Box] = []
        for thing in objects:
            if thing["category_id"] in place and not (thing.get("iscrowd") and self.crowd == "ignore"):
                x, y, width, height = thing["bbox"]
                boxes.append((place[thing["category_id"]], x, y, x + width, y + height))
        return Entry(
            id=_image_id(image),
            file=folder / image["file_name"],
            shown=tuple(sorted({box[0] for box in boxes})),
            boxes=tuple(boxes),
            size=(image["height"], image["width"]),
        )

    def _mask(
        self, found: Annotations, numbers: dict[str, int], place: dict[int, int], entry: Entry, size: Size
    ) -> Tensor:
        mask = torch.zeros(size, dtype=torch.uint8)
        objects = [thing for thing in found.imgToAnns[numbers[entry.id]] if thing["category_id"] in place]
        # crowds first, then from large to small: what is in front is usually smaller
        for thing in sorted(objects, key=lambda t: (_has_outline(t), -t.get("iscrowd", 0), -t.get("area", 0))):
            ignore = thing.get("iscrowd") and self.crowd == "ignore"
            if not _has_outline(thing):  # where in its box it lies is unknown
                x, y, width, height = (round(max(0, v)) for v in thing["bbox"])
                mask[y : y + height, x : x + width] = IGNORED
                continue
            if wrong := wrong_outline(thing["segmentation"], size):
                raise CamForgeError(f"{entry.file}: object {thing['id']} has a broken segmentation ({wrong})")
            pixels = torch.from_numpy(found.annToMask(thing)).bool()
            mask[pixels] = IGNORED if ignore else 1 + place[thing["category_id"]]
        return mask


def _image_id(image: Mapping[str, Any]) -> str:
    """The file's name without its suffix, and the folders that tell it from others of that name."""
    return Path(image["file_name"]).with_suffix("").as_posix()


def _has_outline(thing: Mapping[str, Any]) -> bool:
    """Detection sets leave the segmentation out, or write an empty list."""
    return thing.get("segmentation") not in (None, [], [[]])


def _notes(found: Annotations) -> list[str]:
    bare = [thing["id"] for thing in found.dataset["annotations"] if not _has_outline(thing)]
    shown = ", ".join(map(str, bare[:5])) + (" …" if len(bare) > 5 else "")
    return [f"objects without an outline, whose boxes are ignored in masks: {len(bare)}, {shown}"] if bare else []


def _read(path: Path) -> Annotations:
    """The annotation file with pycocotools' index. Raises CamForgeError where JSON or a field of it is broken."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CamForgeError(f"dataset 'coco': {path} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CamForgeError(f"dataset 'coco': {path}: broken JSON ({error})") from None
    refuse(f"dataset 'coco' ({path})", _wrong_fields(content))
    from pycocotools.coco import COCO as Annotations

    found = Annotations()
    found.dataset = content
    with redirect_stdout(StringIO()):  # pycocotools prints what it does
        found.createIndex()
    return found


def _wrong_fields(content: Any) -> list[str]:
    """What keeps a file from being COCO's: lists or fields that are missing or of the wrong kind."""
    if not isinstance(content, dict):
        return [f"expected an object with images, annotations and categories, not a {type(content).__name__}"]
    problems = [f"there is no list {part!r}" for part in _FIELDS if not isinstance(content.get(part), list)]
    for part in _FIELDS if not problems else ():
        for i, item in enumerate(content[part]):
            problems += [f"{part}[{i}]{wrong}" for wrong in _wrong_item(item, _FIELDS[part], _OPTIONAL[part])]
    if not problems:
        problems = [
            f"annotation {thing['id']}: bbox is not four numbers: {thing['bbox']!r}"
            for thing in content["annotations"]
            if not _is_box(thing["bbox"])
        ]
    return problems


def _wrong_item(item: Any, needed: Mapping[str, tuple[type, ...]], more: Mapping[str, tuple[type, ...]]) -> list[str]:
    """What is wrong with the fields of one image, annotation or category."""
    absent = [name for name in needed if not isinstance(item, dict) or name not in item]
    if absent:
        return [f" has no {', '.join(absent)}"]
    return [
        f": {name} is {item[name]!r:.40}, not {' or '.join(kind.__name__ for kind in kinds)}"
        for name, kinds in {**needed, **more}.items()
        if name in item and not isinstance(item[name], kinds)
    ]


def _is_box(box: Any) -> bool:
    return isinstance(box, list) and len(box) == 4 and all(type(v) in (int, float) and v - v == 0 for v in box)


def _dangling(content: dict[str, Any], path: Path) -> list[str]:
    """Annotations of images or categories that the file does not have, and those it has several of."""
    images = {image["id"] for image in content["images"]}
    categories = {category["id"] for category in content["categories"]}
    wrong = [(t["id"], "image", t["image_id"]) for t in content["annotations"] if t["image_id"] not in images]
    wrong += [
        (t["id"], "category", t["category_id"]) for t in content["annotations"] if t["category_id"] not in categories
    ]
    wrong_ids = [
        f"{path.name}: {count} {part} have the id {number!r}"
        for part in ("images", "categories")
        for number, count in Counter(item["id"] for item in content[part]).items()
        if count > 1
    ]
    return wrong_ids + [f"{path.name}: annotation {t} is of an unknown {what} {number}" for t, what, number in wrong]
