"""Rows that are decoded anew whenever they are read, where neither memory nor the disk has room for them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

import torch
from torch import Tensor

from camforge.data.reading import Readers
from camforge.data.rows import MemoryRows, Rows
from camforge.types import ImageSet, Sample

SCRATCH = 256 << 20  # bytes that reading processes decode into at a time, or one row


class OnDemandRows(Rows):
    """Images, masks and parts of a split, loaded by processes that live as long as this.

    placing  given rows to write to, makes visit(row, sample), which writes a sample there

    Memory depends on the batch alone. What was read last stays: masks are read after the images that they belong to.
    """

    def __init__(
        self,
        images: ImageSet,
        placing: Callable[[Rows], Callable[[int, Sample], object]],
        length: int,
        decoder: torch.device | None = None,
    ) -> None:
        super().__init__(len(images), length)
        self._scratch = MemoryRows(min(len(images), max(1, SCRATCH // length)), length)
        self._readers = Readers(images, placing(self._scratch), decoder)
        self._lock, self._there = Lock(), list[int]()

    def write(self, row: int, start: int, values: Tensor) -> None:
        """Nothing: the row will be decoded again."""

    def read(self, rows: Sequence[int], start: int, out: Tensor) -> Tensor:
        """Raises CamForgeError where an image can no longer be read, or a reading process died."""
        flat, size = out.view(len(rows), -1), self._scratch.count
        with self._lock:
            for first in range(0, len(rows), size):
                some = list(rows[first : first + size])
                self._decode(some)
                self._scratch.read(range(len(some)), start, flat[first : first + size])
        return out

    def _decode(self, rows: list[int]) -> None:
        if rows != self._there:
            self._there = []
            self._readers.load(rows)
            self._there = rows
