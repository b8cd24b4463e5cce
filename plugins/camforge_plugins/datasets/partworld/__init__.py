"""PartWorld: a procedural data set whose ground truth tells an object's body from its discriminative part."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from camforge.api import Dataset, ImageSet, Sample, Split
from camforge_plugins.datasets.partworld.draw import draw
from camforge_plugins.datasets.partworld.layout import CLASSES, FAMILIES, Scene, lay_out

Count = Annotated[int, Field(ge=1, le=1_000_000)]
_SPLITS = {"train": 0, "val": 1}


class PartWorld(Dataset):
    """Drawn scenes, made on the fly from (seed, index): masks of objects and of their parts, boxes, no download.

    An object is a body, which its family (fish, crate, kite, snake) decides, and a small head, which alone tells its
    class from its siblings. One to three objects stand on a background that goes with the first object's family.
    So the known faults of class activation maps can be measured: maps that see the head alone (``parts``: 1 body,
    2 head), maps that leak into the background, siblings that are confused.
    """

    name = "partworld"
    version = "2"

    size: Annotated[int, Field(ge=32, le=1024)] = 64
    """Height and width of the images in pixels."""
    train: Count = 3000
    """Images of the training split."""
    val: Count = 300
    """Images of the validation split."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the images, not of the experiment."""
    background_match: Annotated[float, Field(ge=0, le=1)] = 0.7
    """How often the background is the first object's own; 0.25 makes it tell nothing."""

    def open(self, split: Split) -> ImageSet:
        scenes = _scenes(self, split)
        labels = torch.zeros(len(scenes), len(CLASSES), dtype=torch.bool)
        for i, scene in enumerate(scenes):
            labels[i, [thing.class_index for thing in scene.things]] = True
        return ImageSet(
            classes=CLASSES,
            ids=tuple(f"{split}{i:06d}" for i in range(len(scenes))),
            labels=labels,
            load=partial(self._load, split),
            fingerprint=f"partworld-{self.version}-{split}-{self.model_dump_json()}",
            taxonomy=FAMILIES,
            without_part=partial(self._load, split),
        )

    def _load(self, split: Split, i: int, without_class: int = -1, part: int = 0) -> Sample:
        """An image; without a part, 1 body or 2 head, of all objects of a class, where one is named."""
        scene = _scenes(self, split)[i]
        pixels, mask, parts, boxes = draw(scene, self._numbers(split, i, 1), self.size, (without_class, part))
        classes = torch.tensor([thing.class_index for thing in scene.things])
        labels = torch.zeros(len(CLASSES), dtype=torch.bool)
        labels[classes] = True
        image = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
        truth = {"mask": torch.from_numpy(mask), "parts": torch.from_numpy(parts), "boxes": torch.from_numpy(boxes)}
        return Sample(f"{split}{i:06d}", image, labels, box_classes=classes, **truth)

    def _numbers(self, split: Split, i: int, stream: int) -> np.random.Generator:
        """Random numbers of one image: stream 0 lays it out, stream 1 draws it."""
        return np.random.default_rng([self.seed, _SPLITS[split], i, stream])


@lru_cache(maxsize=8)
def _scenes(world: PartWorld, split: Split) -> tuple[Scene, ...]:
    """The layouts of a split: kept, since labels and images both need them."""
    count = world.train if split == "train" else world.val
    return tuple(lay_out(world._numbers(split, i, 0), world.size, world.background_match) for i in range(count))
