"""What all stages of one run share: the experiment, its splits, the store, the device; and what determines a stage."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from camforge.config.schema import Experiment
from camforge.data.geometry import Geometry
from camforge.data.inspection import opened
from camforge.data.prepared import Prepared, prepare
from camforge.data.rows import Room
from camforge.interfaces import Plugin, Split
from camforge.progress.progress import Progress
from camforge.store.store import Store
from camforge.training import distributed
from camforge.types import CamForgeError, ImageSet, Network, TrainedModel

NUMBERS = "0.1.0"
"""The release since which a recipe gives the same numbers, a part of every key. A plugin has its own ``version``;
raise this one where decoding, geometry, a pass through a network, training or fusing changes what comes out."""

GPU_PIXELS = 128 * 224**2
"""In a batch on a GPU: below it Python is slower than a ResNet-50's kernels, above it little is gained."""


class Splits:
    """An experiment's images, each split read when it is first asked for; runs that differ in their seed share them.

    folder  where decoded images lie that memory is too short for; None: the system's for temporary files
    shared  the processes of this machine that read images, and share its memory
    """

    def __init__(self, experiment: Experiment, progress: Progress, folder: Path | None = None, shared: int = 1) -> None:
        self._experiment, self._progress = experiment, progress
        memory, disk = (
            None if gib is None else gib * 2**30 for gib in (experiment.images.memory, experiment.images.disk)
        )
        self._decoder = _gpu() if experiment.images.decoder == "gpu" else None
        self._room = Room(memory, disk, folder, shared * distributed.per_machine())
        self._sets: dict[Split, ImageSet] = {}

    @cached_property
    def train(self) -> Prepared:
        """What networks are trained on. Every class must have images."""
        settings = self._experiment.images
        return self._read("train", settings.train_size or settings.size)

    @cached_property
    def val(self) -> Prepared:
        """What maps are measured on."""
        return self._read("val", self._experiment.images.size)

    @cached_property
    def train_as_val(self) -> Prepared:
        """The training images in the validation's geometry, for export and for metrics that choose by them."""
        settings = self._experiment.images
        if settings.train_size in (None, settings.size):
            return self.train
        return self._read("train", settings.size)

    def measured(self, split: Split) -> Prepared:
        """A split in the geometry in which maps are measured."""
        return self.val if split == "val" else self.train_as_val

    def check(self) -> None:
        """Raises CamForgeError where the splits cannot belong to one experiment. No image is decoded."""
        if self._opened("train").classes != self._opened("val").classes:
            raise CamForgeError(f"dataset {self._experiment.dataset.name!r}: its splits name different classes")

    def _opened(self, split: Split) -> ImageSet:
        if split not in self._sets:
            self._sets[split] = opened(self._experiment.dataset, split)
        return self._sets[split]

    def _read(self, split: Split, size: int | tuple[int, int]) -> Prepared:
        settings = self._experiment.images
        geometry = Geometry(size, settings.fit, settings.mean, settings.std)
        images = self._opened(split)
        for note in images.notes:
            self._progress.say(f"{split}: {note}")
        with self._progress.task(f"read {len(images)} {split} images") as tick:
            prepared = prepare(images, geometry, split == "train", tick, self._room, self._decoder)
        if not prepared.is_kept:
            said = "images.memory and images.disk have no room for them: they are decoded anew at each use"
            self._progress.say(f"{len(images)} {split} images: {said}")
        return prepared


@dataclass(frozen=True, eq=False)
class Session:
    """Opened once per run and seed.

    log_folder  where losses are written for ``report.loggers``
    trained     what has been trained, by its key in the store
    loaded      the networks used last, by the sequence that read them, the latest at the end
    """

    experiment: Experiment
    splits: Splits
    store: Store
    device: torch.device
    progress: Progress
    log_folder: Path = Path("logs")
    trained: dict[str, TrainedModel] = field(default_factory=dict)
    loaded: OrderedDict[Sequence[Network], tuple[Network, ...]] = field(default_factory=OrderedDict)

    @property
    def seed(self) -> int:
        return self.experiment.seed

    @property
    def batch_size(self) -> int:
        """Images that are extracted and measured at once: as asked, else what keeps the device busy."""
        if self.experiment.batch_size is not None:
            return self.experiment.batch_size
        size = self.experiment.images.size
        height, width = size if isinstance(size, tuple) else (size, size)
        return 16 if self.device.type == "cpu" else max(16, GPU_PIXELS // (height * width))

    @property
    def train(self) -> Prepared:
        return self.splits.train

    @property
    def val(self) -> Prepared:
        return self.splits.val

    @property
    def calibration(self) -> Prepared | None:
        """The training images as metrics see them that choose something by them; None where no metric does."""
        asked = any(metric.needs_calibration for metric in self.experiment.metrics)
        return self.splits.train_as_val if asked else None

    @property
    def second_split(self) -> Prepared | None:
        """The training images, where maps are measured on them as well."""
        return self.splits.train_as_val if "train" in self.experiment.measure_on else None

    @property
    def crop(self) -> int | None:
        """Side of the random square that trainings cut out of their images; None: the whole image."""
        images = self.experiment.images
        return images.size if images.train_size and isinstance(images.size, int) else None


def _gpu() -> torch.device:
    if not torch.cuda.is_available():
        raise CamForgeError("images.decoder: 'gpu' needs an NVIDIA GPU, and torch finds none here; give 'cpu'")
    return torch.device("cuda", torch.cuda.current_device())


def recipe_of(plugin: Plugin) -> dict[str, Any]:
    """A plugin's part in a key: its options and the versions of its class and of those inside it."""
    inner: dict[str, Any] = {}
    for name in type(plugin).model_fields:
        value = getattr(plugin, name)
        if isinstance(value, Plugin):
            inner[name] = recipe_of(value)
        elif isinstance(value, tuple) and value and all(isinstance(one, Plugin) for one in value):
            inner[name] = [recipe_of(one) for one in value]
    return plugin.spec() | {"@version": plugin.version} | inner


def data_recipe(split: Prepared) -> dict[str, Any]:
    """What determines the pixels a stage sees."""
    found = {
        "camforge": NUMBERS,
        "images": split.dataset.fingerprint,
        "geometry": asdict(split.geometry),
        "skipped": sorted(split.skipped),
    }
    return found if split.decoder is None else found | {"decoder": split.decoder.type}
