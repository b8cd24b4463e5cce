"""Raw maps of a whole split on the disk: written batch by batch, read where they are needed, never held as a whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from camforge.store.store import write_tensors

INDEX = "index.pt"


@dataclass(frozen=True, eq=False)
class StoredMaps:
    """The maps of one network and extractor over a whole split.

    rows    (N, K) int64: the row of each (image, output), -1 where it was not asked for
    maps    per branch, per layer: (Q, h, w) float32, mapped from the disk
    logits  (N, K) float32, the mean over the branches
    """

    rows: Tensor
    maps: tuple[tuple[Tensor, ...], ...]
    logits: Tensor


class MapWriter:
    """Appends maps to a folder, a batch at a time. ``target_classes`` (N, K) bool: the outputs asked for."""

    def __init__(self, folder: Path, target_classes: Tensor) -> None:
        folder.mkdir()
        self.folder, self.rows = folder, row_table(target_classes)
        self._shapes: dict[int, list[tuple[int, ...]]] = {}

    def append(self, branch: int, layers: Sequence[Tensor]) -> None:
        """The next maps of a branch, (q, h, w) of each layer. Raises OSError where the disk is full."""
        self._shapes[branch] = [tuple(maps.shape[1:]) for maps in layers]
        for layer, maps in enumerate(layers):
            with _file(self.folder, branch, layer).open("ab") as file:
                file.write(maps.float().contiguous().numpy().tobytes())

    def close(self, logits: Tensor) -> None:
        """After the last batch; ``logits`` (N, K)."""
        shapes = [self._shapes[branch] for branch in sorted(self._shapes)]
        write_tensors(self.folder / INDEX, {"rows": self.rows, "shapes": shapes, "logits": logits})

    def move_to(self, folder: Path) -> None:
        """All files into another folder of the same disk."""
        for path in self.folder.iterdir():
            os.replace(path, folder / path.name)


def row_table(target_classes: Tensor) -> Tensor:
    """Rows are numbered image by image, outputs in order: the order in which the pass returns its pairs."""
    numbers = target_classes.flatten().cumsum(0).reshape(target_classes.shape) - 1
    return torch.where(target_classes, numbers, torch.full_like(numbers, -1))


def load_maps(folder: Path) -> StoredMaps:
    """A finished extraction."""
    index = torch.load(folder / INDEX, map_location="cpu", weights_only=True)
    count = int(index["rows"].max()) + 1
    maps = (
        tuple(_mapped(_file(folder, branch, layer), (count, *shape)) for layer, shape in enumerate(shapes))
        for branch, shapes in enumerate(index["shapes"])
    )
    return StoredMaps(index["rows"], tuple(maps), index["logits"])


def _mapped(path: Path, shape: tuple[int, ...]) -> Tensor:
    if not prod(shape):
        return torch.zeros(shape)
    return torch.from_file(str(path), shared=False, size=prod(shape)).view(shape)


def _file(folder: Path, branch: int, layer: int) -> Path:
    return folder / f"branch{branch}-layer{layer}.float32"
