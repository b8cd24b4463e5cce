"""PASCAL VOC 2012 in its published layout."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch
from torch import Tensor

from camforge.api import IGNORED, CamForgeError, Dataset, ImageSet, Sample, Split

from .files import fingerprint, read_image, read_mask, refuse

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


@dataclass(frozen=True)
class Annotation:
    """The objects of one image: (class name, x0, y0, x1, y1) with x1 and y1 exclusive."""

    objects: tuple[tuple[str, float, float, float, float], ...]


class VOC(Dataset):
    """PASCAL VOC 2012: JPEGImages, Annotations, SegmentationClass and ImageSets, as published.

    Image-level labels come from the annotations' objects. Images that show none of the picked classes are left out;
    mask pixels of classes that were not picked count as background.
    """

    name = "voc"
    root: str
    """The folder VOC2012, or one that holds VOC2012 or VOCdevkit/VOC2012."""
    classes: tuple[str, ...] = CLASSES
    """Which classes, in this order."""
    train: str = "Segmentation/train"
    """The list of training images under ImageSets; SBD's 10,582 are usually in Segmentation/train_aug."""
    val: str = "Segmentation/val"
    difficult: bool = True
    """Keep objects that are marked as difficult."""

    def open(self, split: Split) -> ImageSet:
        self._check_classes()
        folder = self._folder()
        ids = self._listed(folder, self.train if split == "train" else self.val)
        annotations, problems = self._annotations(folder, ids, masks=split == "val")
        refuse(f"dataset 'voc' ({folder})", problems)
        labels = {i: self._labels(annotations[i]) for i in ids}
        ids = [i for i in ids if labels[i].any()]
        if not ids:
            raise CamForgeError(f"dataset 'voc' ({folder}): no image of {split} shows {', '.join(self.classes)}")
        stacked = torch.stack([labels[i] for i in ids])
        files = [folder / "JPEGImages" / f"{i}.jpg" for i in ids]
        mark = fingerprint(
            self.classes, self.difficult, ids, stacked.int().sum(0).tolist(), [annotations[i] for i in ids], files=files
        )
        return ImageSet(
            self.classes,
            tuple(ids),
            stacked,
            lambda i: self._load(folder, ids[i], annotations[ids[i]], stacked[i]),
            mark,
        )

    def _check_classes(self) -> None:
        problems = []
        for name in self.classes:
            near = difflib.get_close_matches(name, CLASSES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            if name not in CLASSES:
                problems.append(f"unknown class {name!r}{hint} known: {', '.join(CLASSES)}")
        if len(set(self.classes)) < len(self.classes) or not self.classes:
            problems.append(f"classes must name each class once, got {list(self.classes)}")
        refuse("dataset 'voc'", problems)

    def _folder(self) -> Path:
        tried = [Path(self.root), Path(self.root) / "VOC2012", Path(self.root) / "VOCdevkit" / "VOC2012"]
        for folder in tried:
            if (folder / "JPEGImages").is_dir():
                return folder
        raise CamForgeError(f"dataset 'voc': no JPEGImages folder in {', '.join(map(str, tried))}")

    def _listed(self, folder: Path, image_set: str) -> list[str]:
        path = folder / "ImageSets" / f"{image_set}.txt"
        if not path.is_file():
            known = sorted(str(p.relative_to(folder / "ImageSets"))[:-4] for p in folder.glob("ImageSets/*/*.txt"))
            raise CamForgeError(f"dataset 'voc': there is no list {path}; known: {', '.join(known)}")
        return [line.split()[0] for line in path.read_text().splitlines() if line.strip()]

    def _annotations(self, folder: Path, ids: Sequence[str], masks: bool) -> tuple[dict[str, Annotation], list[str]]:
        """Every image's annotation and all that is missing; training images may come without ``masks``."""
        found: dict[str, Annotation] = {}
        problems = []
        for image in ids:
            parts = [folder / "JPEGImages" / f"{image}.jpg"]
            parts += [folder / "SegmentationClass" / f"{image}.png"] * masks
            problems += [f"{part} is missing" for part in parts if not part.is_file()]
            try:
                found[image] = read_annotation(folder / "Annotations" / f"{image}.xml", self.difficult)
            except CamForgeError as error:
                problems.append(str(error))
        return found, problems

    def _labels(self, annotation: Annotation) -> Tensor:
        shown = {name for name, *_ in annotation.objects}
        return torch.tensor([name in shown for name in self.classes])

    def _load(self, folder: Path, image_id: str, annotation: Annotation, labels: Tensor) -> Sample:
        image = read_image(folder / "JPEGImages" / f"{image_id}.jpg")
        height, width = image.shape[-2:]
        mask_file = folder / "SegmentationClass" / f"{image_id}.png"
        mask = self._renumbered(read_mask(mask_file, (height, width))) if mask_file.is_file() else None
        kept = [o for o in annotation.objects if o[0] in self.classes]
        return Sample(
            image_id,
            image,
            labels,
            mask=mask,
            boxes=torch.tensor([o[1:] for o in kept], dtype=torch.float32).reshape(-1, 4),
            box_classes=torch.tensor([self.classes.index(o[0]) for o in kept], dtype=torch.int64),
        )

    def _renumbered(self, mask: Tensor) -> Tensor:
        """VOC's class numbers -> 1 + place among the picked classes; classes that were not picked -> 0."""
        table = torch.zeros(256, dtype=torch.uint8)
        table[IGNORED] = IGNORED
        for place, name in enumerate(self.classes):
            table[CLASSES.index(name) + 1] = place + 1
        return table[mask.long()]


def read_annotation(path: Path, difficult: bool = True) -> Annotation:
    """An annotation file. Coordinates are stored 1-based and inclusive; entities and document types are refused."""
    try:
        text = path.read_text()
        if "<!" in text.replace("<!--", ""):
            raise CamForgeError(f"{path}: document types and entities are refused")
        root = ElementTree.fromstring(text)
        objects = [_object(node) for node in root.iter("object") if difficult or node.findtext("difficult") != "1"]
    except FileNotFoundError:
        raise CamForgeError(f"{path} is missing") from None
    except (ElementTree.ParseError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise CamForgeError(f"{path}: broken annotation ({error})") from None
    unknown = [o[0] for o in objects if o[0] not in CLASSES]
    if unknown:
        raise CamForgeError(f"{path}: unknown class {unknown[0]!r}")
    return Annotation(tuple(objects))


def _object(node: ElementTree.Element) -> tuple[str, float, float, float, float]:
    box = node.find("bndbox")
    if box is None:
        raise ValueError("an object has no bndbox")
    x0, y0, x1, y1 = (float(box.findtext(side) or "") for side in ("xmin", "ymin", "xmax", "ymax"))
    if x1 < x0 or y1 < y0:
        raise ValueError(f"box {x0:g},{y0:g},{x1:g},{y1:g} is turned around")
    return (node.findtext("name") or "").strip(), x0 - 1, y0 - 1, x1, y1
