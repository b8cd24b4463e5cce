"""``camforge export``: what an arm found, as files that the next step of a segmentation pipeline reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import cv2
import numpy as np
import torch
from torch import Tensor

from camforge.analysis.finished import Finished
from camforge.analysis.seed_files import PALETTE_CLASSES, class_masks, label_map, save_confidence, save_label_map
from camforge.files import free_name, write_strict_json
from camforge.interfaces import Split
from camforge.maps import max_normalise
from camforge.pipeline.fuse import FusedMaps
from camforge.progress.progress import Progress
from camforge.types import CamForgeError

SHARD = 256  # images per file of maps
README = """\
Seeds of arm {arm!r} of experiment {experiment!r}, {split} images, made by CamForge.

masks/ID.png     palette PNG in the size of the photograph: 0 background, 1 + place in classes.txt, 255 not seen
                 (outside the square that the network saw) or not sure. A pixel has the class whose map, divided by its
                 maximum, is highest, where that reaches {threshold}; below {background} it is background.
                 A palette tells 254 classes apart: of more, masks.json alone has them.
                 ID is the image's "stem" in masks.json: its id, as far as a file can be called that.
masks.json       COCO: the same masks as run lengths, one per class; "score" is the mean of the map inside.
confidence/ID.npz
                 numpy.load(file): scores (P, h, w) float16, the maps divided by their maxima, in the size of the
                 photograph; classes (P,) places in classes.txt.
boxes.json       COCO: the box of the largest connected part of each class's mask at {threshold}, in pixels of the
                 photograph; "score" is the mean of the map inside the part.
maps/00000.npz   numpy.load(file): values (P, S, S) float32, the raw maps of P (image, class) pairs in the network's
                 square; images (P,) ids; classes (P,) places in classes.txt; sizes (P, 2) height and width of the
                 photographs.
classes.txt      one name per line
manifest.json    how the experiment was made
"""


@dataclass(frozen=True)
class Exported:
    """How much was written."""

    images: int
    boxes: int
    shards: int


@dataclass(frozen=True, eq=False)
class ImageSeeds:
    """One photograph's share: raw maps (P, S, S) of its classes (P,), and its size (h, w)."""

    id: str
    maps: Tensor
    classes: Tensor
    size: tuple[int, int]


def export(
    folder: str | Path,
    out: str | Path,
    *,
    arm: str | None = None,
    split: str = "train",
    threshold: float = 0.15,
    background: float | None = None,
    device: str = "auto",
    quiet: bool = False,
) -> Exported:
    """Write seed masks, boxes and raw maps of one arm of a finished experiment; ``out`` appears when it is whole.

    folder      the experiment's work directory;  arm  its name, None for the first;  split  "train" or "val"
    threshold   of maps over their maxima: what a class's map has to reach
    background  below it a pixel is background, between the two 255, not sure; None: the threshold
    Networks come from the store of the run; maps of images that it did not see are extracted now.
    Raises CamForgeError where the experiment is not finished, or ``out`` holds something.
    """
    background = threshold if background is None else background
    if not 0 <= background <= threshold <= 1:
        raise CamForgeError(f"background {background} and threshold {threshold}: 0 <= background <= threshold <= 1")
    folder, out = Path(folder), _unused(Path(out))
    progress = Progress(quiet)
    finished = Finished.open(folder, device, progress)
    name = finished.arm(arm)
    if split not in get_args(Split):
        raise CamForgeError(f"no split {split!r}; splits: {', '.join(get_args(Split))}")
    draft = out.with_name(f".{uuid4().hex}.partial")
    try:
        (draft / "masks").mkdir(parents=True)
        (draft / "maps").mkdir()
        (draft / "confidence").mkdir()
        maps = finished.fused_maps(name, split)  # type: ignore[arg-type]
        made = _write(draft, maps, (threshold, background), progress, finished.session.batch_size)
        classes = maps.split.dataset.classes
        (draft / "classes.txt").write_text("".join(f"{label}\n" for label in classes), "utf-8")
        message = README.format(
            arm=name, experiment=finished.experiment.name, split=split, threshold=threshold, background=background
        )
        (draft / "README.txt").write_text(message, "utf-8")
        shutil.copy(folder / "manifest.json", draft)
        if hasattr(os, "sync"):  # not on Windows
            os.sync()
        if out.exists():
            out.rmdir()
        os.replace(draft, out)
    except OSError as error:
        raise CamForgeError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return made


def _unused(out: Path) -> Path:
    """The whole path of a folder to write, which is not there or empty, and is not where we stand."""
    whole = Path(os.path.abspath(out))
    try:
        if whole == Path.cwd() or os.path.ismount(whole):
            raise CamForgeError(f"{out} cannot be replaced: name a new folder")
        if os.path.lexists(whole) and (whole.is_symlink() or not whole.is_dir() or any(whole.iterdir())):
            raise CamForgeError(f"{out} is there already: name a new folder")
    except OSError as error:
        raise CamForgeError(f"cannot write {out}: {error.strerror or error}") from error
    return whole


def _write(
    draft: Path, fused: FusedMaps, thresholds: tuple[float, float], progress: Progress, size: int
) -> Exported:  # fmt: skip
    """``thresholds``: that of a class and that of the background."""
    boxes: list[dict[str, Any]] = []
    masks: list[dict[str, Any]] = []
    pictures: list[dict[str, Any]] = []
    shard: list[ImageSeeds] = []
    shards = 0
    taken: set[str] = set()
    has_palette = len(fused.split.dataset.classes) <= PALETTE_CLASSES
    if not has_palette:
        progress.say(f"no masks/ID.png: a palette tells {PALETTE_CLASSES} classes apart; masks.json has all of them")
    with progress.task("write") as tick:
        for number, seeds in enumerate(_each(fused, size), start=1):
            scaled, label = _placed(seeds, fused, thresholds)
            name = free_name(seeds.id, taken)
            if has_palette:
                save_label_map(draft / "masks" / f"{name}.png", label)
            save_confidence(draft / "confidence" / f"{name}.npz", scaled, seeds.classes)
            height, width = seeds.size
            pictures.append({"id": number, "file_name": seeds.id, "height": height, "width": width, "stem": name})
            boxes += _boxes(scaled, seeds.classes, thresholds[0], number, len(boxes))
            masks += class_masks(label, scaled, seeds.classes, number, len(masks))
            shard.append(seeds)
            if len(shard) == SHARD or number == len(fused.split):
                _save_maps(draft / "maps" / f"{shards:05}.npz", shard)
                shards, shard = shards + 1, []
            tick(number, len(fused.split))
    categories = [{"id": 1 + c, "name": label} for c, label in enumerate(fused.split.dataset.classes)]
    for file, objects in (("boxes.json", boxes), ("masks.json", masks)):
        write_strict_json(draft / file, {"images": pictures, "categories": categories, "annotations": objects})
    return Exported(len(pictures), len(boxes), shards)


def _placed(seeds: ImageSeeds, fused: FusedMaps, thresholds: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Maps over their maxima (P, h, w) as the photograph lies in its file, and its label map (h, w)."""
    maps, inside = fused.split.geometry.back(seeds.maps, seeds.size)
    scaled = max_normalise(maps)
    return scaled, label_map(scaled, seeds.classes, inside, *thresholds)


def _each(fused: FusedMaps, size: int) -> Iterator[ImageSeeds]:
    dataset, indices = fused.split.dataset, fused.split.indices
    for places, shown in fused.batches(size, torch.device("cpu")):
        for i, place in enumerate(places):
            height, width = dataset.load(int(indices[place])).image.shape[-2:]
            mine = shown.images == i
            yield ImageSeeds(shown.batch.ids[i], shown.maps[mine], shown.classes[mine], (height, width))


def _boxes(scaled: Tensor, classes: Tensor, threshold: float, image: int, before: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for values, label in zip(scaled, classes.tolist(), strict=True):
        mask = ((values >= threshold) & (values > 0)).to(torch.uint8).numpy()
        _, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
        if len(stats) < 2:
            continue
        largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        score = float(values[torch.from_numpy(parts == largest)].mean())
        box, area = stats[largest, : cv2.CC_STAT_AREA].tolist(), int(stats[largest, cv2.CC_STAT_AREA])
        found.append(
            {
                "id": 1 + before + len(found), "image_id": image, "category_id": 1 + label, "bbox": box, "area": area,
                "iscrowd": 0, "score": round(score, 6),
            }
        )  # fmt: skip
    return found


def _save_maps(path: Path, shard: list[ImageSeeds]) -> None:
    pairs = [seeds for seeds in shard for _ in range(len(seeds.maps))]
    np.savez_compressed(
        path,
        values=torch.cat([seeds.maps for seeds in shard]).numpy().astype(np.float32),
        images=np.array([seeds.id for seeds in pairs], dtype=np.str_),
        classes=torch.cat([seeds.classes for seeds in shard]).numpy(),
        sizes=np.array([seeds.size for seeds in pairs], dtype=np.int64).reshape(-1, 2),
    )
