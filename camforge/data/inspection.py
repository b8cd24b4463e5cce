"""An experiment's data, before anything is trained: all that is wrong with it, and a sheet of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

from camforge.data.reading import Unread, read
from camforge.interfaces import Dataset, Split
from camforge.pictures import sheet
from camforge.types import IGNORED, CamForgeError, DatasetError, ImageSet, Sample

TILE = 160  # pixels of a tile's shorter side
COLUMNS = 6
NAMED = 5  # images named in a note
Task = Callable[[str], AbstractContextManager[Callable[..., None]]]
COLOURS = ("#e6194b", "#3cb44b", "#ffe119", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6")


@dataclass(frozen=True)
class Inspected:
    """One split: how many images, how many of each class, and every problem, one line each.

    notes  what is used as it is, and wants a look
    """

    split: Split
    images: int
    counts: dict[str, int]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def opened(dataset: Dataset, split: Split) -> ImageSet:
    """A split. What the file system refuses (no permission, a name that is too long) is one line, like all mistakes."""
    try:
        return dataset.open(split)
    except OSError as error:
        place = str(error.filename or "its files")[:200]
        raise CamForgeError(f"dataset {dataset.name!r}: {place}: {error.strerror or error}") from error


def inspect(dataset: Dataset, task: Task) -> Iterator[Inspected]:
    """Open both splits and decode every image: missing files, masks of another size, boxes outside, unknown classes.

    task  opens a task of the progress by its label and gives tick(done, total)
    """
    for split in get_args(Split):
        listed: list[str] = []
        try:
            images = opened(dataset, split)
        except CamForgeError as error:
            listed = str(error).splitlines()
            if not isinstance(error, DatasetError) or not len(error.valid_images):
                yield Inspected(split, 0, {}, tuple(listed))
                continue
            images = error.valid_images
        with task(f"decode {len(images)} {split} images") as tick:
            broken, odd = _looked_at(images, tick)
        problems = listed + broken
        counts = dict(zip(images.classes, images.labels.sum(0).tolist(), strict=True))
        if not listed:
            problems += [f"no image shows {name}" for name, count in counts.items() if count == 0]
        yield Inspected(split, len(images), counts, tuple(problems), (*images.notes, *odd))


@dataclass(frozen=True)
class _Disagreement:
    """Class indices: ``unlabelled`` are in the mask and not in the label, ``unseen`` the other way round."""

    unlabelled: tuple[int, ...] = ()
    unseen: tuple[int, ...] = ()


def _looked_at(images: ImageSet, tick: Callable[[int, int], None]) -> tuple[list[str], list[str]]:
    """Why images cannot be used, one line each; and how masks disagree with labels."""
    broken: list[str] = []
    unlabelled: list[tuple[int, int]] = []
    unseen: list[tuple[int, int]] = []
    for i, found in read(images, _compared):
        tick(i + 1, len(images))
        if isinstance(found, Unread):
            broken.append(found.reason)
        else:
            unlabelled += [(i, c) for c in found.unlabelled]
            unseen += [(i, c) for c in found.unseen]
    odd = [
        *_told("masks that show a class their label has not", images, unlabelled),
        *_told("labels with a class that the mask shows nowhere", images, unseen),
    ]
    return broken, odd


def _compared(_i: int, sample: Sample) -> _Disagreement:
    if sample.mask is None:
        return _Disagreement()
    shown = set((sample.mask[(sample.mask > 0) & (sample.mask != IGNORED)].unique().int() - 1).tolist())
    named = set(sample.labels.nonzero().flatten().tolist())
    return _Disagreement(tuple(sorted(shown - named)), tuple(sorted(named - shown)))


def _told(what: str, images: ImageSet, pairs: list[tuple[int, int]]) -> list[str]:
    if not pairs:
        return []
    named = [f"{images.ids[i]} ({images.classes[c] if c < len(images.classes) else 1 + c})" for i, c in pairs[:NAMED]]
    return [f"{what}: {len({i for i, _ in pairs})}, {', '.join(named)}{' …' if len(pairs) > NAMED else ''}"]


def contact(dataset: Dataset, split: Split, count: int) -> Tensor:
    """(3, H, W) uint8: ``count`` images spread over a split, with masks, boxes and the names of their classes."""
    images = opened(dataset, split)
    places = torch.linspace(0, len(images) - 1, min(count, len(images))).round().long().unique().tolist()
    tiles = [_tile(images.load(place), images.classes) for place in places]
    return sheet([tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)])


def _tile(sample: Sample, classes: tuple[str, ...]) -> tuple[str, Tensor]:
    picture = sample.image
    if sample.mask is not None:
        shown = [c for c in range(len(classes)) if bool((sample.mask == 1 + c).any())]
        masks = torch.stack([sample.mask == 1 + c for c in shown]) if shown else None
        if masks is not None:
            picture = draw_segmentation_masks(picture, masks, alpha=0.5, colors=[_colour(c) for c in shown])
        picture = torch.where(sample.mask == IGNORED, torch.full_like(picture, 255), picture)
    if len(sample.boxes):
        colours = [_colour(c) for c in sample.box_classes.tolist()]
        picture = draw_bounding_boxes(picture, sample.boxes.round(), colors=colours, width=2)
    scale = TILE / min(picture.shape[-2:])
    size = [round(side * scale) for side in picture.shape[-2:]]
    tile = torch.nn.functional.interpolate(picture[None].float(), size, mode="bilinear", antialias=True)
    names = ", ".join(name for name, on in zip(classes, sample.labels.tolist(), strict=True) if on)
    return f"{names} ({sample.id})", tile[0].round().to(torch.uint8)


def _colour(label: int) -> str:
    return COLOURS[label % len(COLOURS)]
