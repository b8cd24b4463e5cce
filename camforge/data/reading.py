"""A split's images, loaded by as many processes as there are cores."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import cv2
import torch
from joblib import cpu_count

from camforge.types import CamForgeError, ImageSet, Sample

T = TypeVar("T")
FEW = 64  # images that are not worth a process
CHUNK = 32  # images that a process reads between two messages

_reader: _Reader[Any] | None = None
"""Of a reading process: what it was forked to read."""


@dataclass(frozen=True)
class Unread:
    """An image that cannot be used, and why."""

    reason: str


@dataclass(frozen=True)
class _Mistake:
    """A data set that raised what it must not: no other image would be read either."""

    line: str
    trace: str


@dataclass(frozen=True)
class _Reader(Generic[T]):
    images: ImageSet
    visit: Callable[[int, Sample], T]

    def read(self, i: int) -> T | Unread | _Mistake:
        try:
            sample = self.images.load(i)
        except CamForgeError as error:
            return Unread(str(error))
        except Exception as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            return _Mistake(f"the data set cannot load image {self.images.ids[i]!r} ({said})", traceback.format_exc())
        try:
            return self.visit(i, sample)
        except CamForgeError as error:
            return Unread(str(error))


def read(images: ImageSet, visit: Callable[[int, Sample], T]) -> Iterator[tuple[int, T | Unread]]:
    """Load every image, in order; ``visit(i, sample)`` is called where it was loaded, in another process if need be.

    visit  returns little, in numbers and NumPy arrays; it raises CamForgeError where the image cannot be used
    Raises CamForgeError where the data set itself fails, or a process dies.
    """
    for i, found in _results(_Reader(images, visit)):
        if isinstance(found, _Mistake):
            error = CamForgeError(found.line)
            error.add_note(found.trace)
            raise error
        yield i, found


def _results(reader: _Reader[T]) -> Iterator[tuple[int, T | Unread | _Mistake]]:
    count = len(reader.images)
    workers = min(cpu_count(), count // FEW) if "fork" in multiprocessing.get_all_start_methods() else 0
    if workers > 1:
        yield from _shared_out(reader, workers)
    else:
        yield from ((i, reader.read(i)) for i in range(count))


def _shared_out(reader: _Reader[T], workers: int) -> Iterator[tuple[int, T | Unread | _Mistake]]:
    """Forked, since a data set's closures cannot be pickled. Messages go through pipes, none through /dev/shm."""
    count = len(reader.images)
    chunk = max(1, min(CHUNK, count // (4 * workers)))
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _serve, (reader,))
    try:
        for found in pool.map(_read_chunk, [range(i, min(i + chunk, count)) for i in range(0, count, chunk)]):
            yield from found
    except BrokenProcessPool:
        message = f"a process that read images died (killed, or out of memory), of {workers} that read {count} images"
        raise CamForgeError(message) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _read_chunk(places: range) -> list[tuple[int, Any]]:
    assert _reader is not None
    return [(i, _reader.read(i)) for i in places]


def _serve(reader: _Reader[Any]) -> None:
    """Ctrl-C is for the run alone, which ends its readers; none outlives a killed run."""
    global _reader
    _reader = reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    torch.set_num_threads(1)  # the cores are shared out already, and threads do not survive a fork
    cv2.setNumThreads(0)
