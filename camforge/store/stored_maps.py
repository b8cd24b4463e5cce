"""Raw maps of a whole split on the disk: written batch by batch, read where they are needed, never held as a whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from camforge.store.store import write_tensors

INDEX, ASKED = "index.pt", "asked.bool"
AT_ONCE = 512  # images whose outputs are counted together


@dataclass(frozen=True)
class StoredTensor:
    """A tensor on the disk of which rows are read. What was read is no part of this process's memory afterwards."""

    path: Path
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        """The rows, in memory."""
        if not prod(self.shape):
            return torch.zeros(self.shape, dtype=self.dtype)[rows]
        whole = torch.from_file(str(self.path), shared=False, size=prod(self.shape), dtype=self.dtype)
        found = whole.view(self.shape)[rows]
        return found.clone() if isinstance(rows, slice) else found


TensorRows = Tensor | StoredTensor
"""Of which ``rows[...]`` and ``len`` are asked."""


@dataclass(frozen=True, eq=False)
class StoredMaps:
    """The maps of one network and extractor over a whole split.

    asked   (N, K) bool: the outputs that there are maps of
    maps    per branch, per layer: (Q, h, w) float32; image by image, outputs in order, as the pass returns its pairs
    logits  per branch (N, K) float32
    """

    asked: TensorRows
    maps: tuple[tuple[TensorRows, ...], ...]
    logits: tuple[TensorRows, ...] = ()

    @cached_property
    def _starts(self) -> Tensor:
        """(N + 1,) int64: the row of each image's first map."""
        return torch.cat([torch.zeros(1, dtype=torch.int64), _counts(self.asked)]).cumsum(0)

    def rows(self, images: Sequence[int] | Tensor) -> Tensor:
        """(B,) places -> (B, K) int64: the row of each image's and output's map, -1 where there is none."""
        images = torch.as_tensor(images)
        asked = self.asked[images]
        numbers = asked.cumsum(1) - 1 + self._starts[images][:, None]
        return torch.where(asked, numbers, torch.full_like(numbers, -1))

    def pair(self, row: int) -> tuple[int, int]:
        """The image and the output of a map."""
        image = int(torch.searchsorted(self._starts, row, right=True)) - 1
        return image, int(self.asked[image : image + 1][0].nonzero()[row - int(self._starts[image])])

    def mean_logits(self, images: Sequence[int] | Tensor) -> Tensor:
        """(B,) places -> (B, K) float32, the mean over the branches."""
        images = torch.as_tensor(images)
        return torch.stack([logits[images] for logits in self.logits]).mean(0)


class MapWriter:
    """Appends maps to a folder, a batch at a time.

    asked  (N, K) bool: the outputs asked for; where it is one value, expanded, it takes no room
    """

    def __init__(self, folder: Path, asked: Tensor) -> None:
        folder.mkdir()
        self.folder, self.asked = folder, asked
        self._shapes: dict[int, list[tuple[int, ...]]] = {}
        self._logits = False

    def append(self, branch: int, layers: Sequence[Tensor], logits: Tensor | None = None) -> None:
        """The next maps of a branch, (q, h, w) of each layer, and (b, K) logits. Raises OSError: a full disk."""
        self._shapes[branch] = [tuple(maps.shape[1:]) for maps in layers]
        for layer, maps in enumerate(layers):
            _append(_layer(self.folder, branch, layer), maps)
        if logits is not None:
            self._logits = True
            _append(_logits(self.folder, branch), logits)

    def close(self) -> None:
        """After the last batch."""
        every = not any(self.asked.stride())
        if not every:
            self.asked.numpy().tofile(self.folder / ASKED)
        index = {
            "shape": tuple(self.asked.shape), "every": every, "logits": self._logits,
            "shapes": [self._shapes[branch] for branch in sorted(self._shapes)],
        }  # fmt: skip
        write_tensors(self.folder / INDEX, index)

    def move_to(self, folder: Path) -> None:
        """All files into another folder of the same disk."""
        for path in self.folder.iterdir():
            os.replace(path, folder / path.name)


def everything(images: int, outputs: int) -> Tensor:
    """(N, K) bool, one value that stands for all."""
    return torch.ones(1, 1, dtype=torch.bool).expand(images, outputs)


def load_maps(folder: Path) -> StoredMaps:
    """A finished extraction."""
    index = torch.load(folder / INDEX, map_location="cpu", weights_only=True)
    asked, logits = _kept_whole(index) if "rows" in index else _kept_in_files(index, folder)
    count = int(_counts(asked).sum())
    maps = (
        tuple(StoredTensor(_layer(folder, branch, layer), (count, *size)) for layer, size in enumerate(sizes))
        for branch, sizes in enumerate(index["shapes"])
    )
    return StoredMaps(asked, tuple(maps), logits)


def _kept_in_files(index: Mapping[str, Any], folder: Path) -> tuple[TensorRows, tuple[TensorRows, ...]]:
    shape = tuple(index["shape"])
    asked = everything(*shape) if index["every"] else StoredTensor(folder / ASKED, shape, torch.bool)
    branches = range(len(index["shapes"]) if index["logits"] else 0)
    return asked, tuple(StoredTensor(_logits(folder, branch), shape) for branch in branches)


def _kept_whole(index: Mapping[str, Any]) -> tuple[TensorRows, tuple[TensorRows, ...]]:
    """As 0.1 wrote it: a table of rows, and the branches' mean logits."""
    return index["rows"] >= 0, (index["logits"],)


def _counts(asked: TensorRows) -> Tensor:
    """(N,) int64: how many outputs of each image, counted some images at a time."""
    parts = (asked[start : start + AT_ONCE] for start in range(0, len(asked), AT_ONCE))
    return torch.cat([torch.zeros(0, dtype=torch.int64), *(part.sum(1) for part in parts)])


def _append(path: Path, values: Tensor) -> None:
    with path.open("ab") as file:
        file.write(values.float().contiguous().numpy().data)


def _layer(folder: Path, branch: int, layer: int) -> Path:
    return folder / f"branch{branch}-layer{layer}.float32"


def _logits(folder: Path, branch: int) -> Path:
    return folder / f"branch{branch}.logits"
