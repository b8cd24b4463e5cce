"""Rows of bytes that reading processes fill and this one looks up: in memory, or in a file where that is short."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from camforge.types import CamForgeError

SHARE = 0.25  # of the memory that is free: both splits, and the networks, want some
SHARE_OF_DISK = 0.5  # what a run stores wants some
UNKNOWN = 4 << 30  # bytes taken to be free where the system does not tell


class Rows(ABC):
    """``count`` rows of ``length`` bytes. What one process writes, those that it was forked from see."""

    def __init__(self, count: int, length: int) -> None:
        self.count, self.length = count, length

    @abstractmethod
    def write(self, row: int, start: int, values: Tensor) -> None:
        """Put uint8 values, of any shape, into a row from byte ``start`` on."""

    @abstractmethod
    def read(self, rows: Sequence[int], start: int, out: Tensor) -> Tensor:
        """Fill ``out`` (B, ...) uint8, contiguous, with the bytes from ``start`` on of B rows."""


class MemoryRows(Rows):
    """One anonymous mapping: it outlives no process, counts once however many share it, and is not in /dev/shm."""

    def __init__(self, count: int, length: int) -> None:
        super().__init__(count, length)
        self._rows = torch.frombuffer(mmap.mmap(-1, max(1, count * length)), dtype=torch.uint8)
        self._rows = self._rows[: count * length].view(count, length)

    def write(self, row: int, start: int, values: Tensor) -> None:
        self._rows[row, start : start + values.numel()].view(values.shape).copy_(values)

    def read(self, rows: Sequence[int], start: int, out: Tensor) -> Tensor:
        flat = out.view(len(rows), -1)
        torch.index_select(self._rows[:, start : start + flat.shape[1]], 0, torch.as_tensor(rows), out=flat)
        return out


class FileRows(Rows):
    """A file without a name, gone with the last process that has it open; the system keeps in memory what it can.

    Read and written by calls: pages of a mapping would count as this process's memory.
    """

    def __init__(self, count: int, length: int, folder: Path) -> None:
        super().__init__(count, length)
        self._file = tempfile.TemporaryFile(dir=folder, prefix="pixels-", buffering=0)  # noqa: SIM115
        self._file.truncate(count * length)

    def write(self, row: int, start: int, values: Tensor) -> None:
        left, place = values.cpu().contiguous().view(-1).numpy().data, row * self.length + start
        while left:
            written = os.pwrite(self._file.fileno(), left, place)
            left, place = left[written:], place + written

    def read(self, rows: Sequence[int], start: int, out: Tensor) -> Tensor:
        for row, target in zip(rows, out.view(len(rows), -1).numpy(), strict=True):
            if os.preadv(self._file.fileno(), [target], row * self.length + start) != target.size:
                raise CamForgeError(f"the file of decoded images is cut short at row {row}")
        return out


@dataclass(frozen=True)
class Room:
    """How many bytes decoded images may take: in memory, and where that is short in a file in ``folder``.

    memory  None: a quarter of what is free
    disk    None: half of what is free in ``folder`` (None: the system's for temporary files)
    shared  the processes of this machine that read images, and share both
    """

    memory: float | None = None
    disk: float | None = None
    folder: Path | None = None
    shared: int = 1

    @property
    def memory_bytes(self) -> float:
        return (SHARE * free_memory() if self.memory is None else self.memory) / self.shared

    def disk_bytes(self, folder: Path) -> float:
        free = shutil.disk_usage(folder).free
        return (SHARE_OF_DISK * free if self.disk is None else min(self.disk, free)) / self.shared


def make_rows(count: int, length: int, room: Room) -> Rows | None:
    """Rows in memory where they fit, else in a file; None where neither has room for them."""
    if count * length <= room.memory_bytes:
        return MemoryRows(count, length)
    folder = room.folder or Path(tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    fits = count * length <= room.disk_bytes(folder) and hasattr(os, "preadv")
    return FileRows(count, length, folder) if fits else None


def free_memory() -> int:
    """Bytes that this process may still take, by the machine and by its control group (version 2), on Linux."""
    known = [UNKNOWN]
    machine, group = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
    if machine.exists():
        fields = dict(line.split(":", 1) for line in machine.read_text().splitlines())
        known = [int(fields["MemAvailable"].split()[0]) * 1024]
    if (group / "memory.max").exists() and (limit := (group / "memory.max").read_text().strip()) != "max":
        known.append(int(limit) - int((group / "memory.current").read_text()) + _reclaimable(group))
    return max(0, min(known))


def _reclaimable(group: Path) -> int:
    """Cached files count as the group's memory until somebody needs it."""
    fields = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return int(fields.get("inactive_file", 0))
