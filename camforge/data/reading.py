"""A split's images, loaded by as many processes as there are cores."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Generic, TypeVar

import cv2
import torch
from joblib import cpu_count

from camforge.data.decoding import decoding_on
from camforge.types import CamForgeError, ImageSet, Sample

T = TypeVar("T")
FEW = 64  # images that are not worth a process
CHUNK = 32  # images that a process reads between two messages
THREADS = 8  # that keep a GPU decoding

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

    def read(self, i: int, row: int) -> T | Unread | _Mistake:
        """Load image ``i`` and visit it as ``row``."""
        try:
            sample = self.images.load(i)
        except CamForgeError as error:
            return Unread(str(error))
        except Exception as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            return _Mistake(f"the data set cannot load image {self.images.ids[i]!r} ({said})", traceback.format_exc())
        try:
            return self.visit(row, sample)
        except CamForgeError as error:
            return Unread(str(error))


def read(
    images: ImageSet, visit: Callable[[int, Sample], T], decoder: torch.device | None = None
) -> Iterator[tuple[int, T | Unread]]:
    """Load every image, in order; ``visit(i, sample)`` is called where it was loaded, in another process if need be.

    visit    returns little, in numbers and NumPy arrays; it raises CamForgeError where the image cannot be used
    decoder  the device that decodes JPEGs, for threads of this process; None: the CPU, in processes
    Raises CamForgeError where the data set itself fails, or a process dies.
    """
    for i, found in _results(_Reader(images, visit), decoder):
        yield i, _no_mistake(found)


class Readers:
    """Processes that load images whenever they are asked to, started here and ended with this object.

    visit(row, sample) is called where an image was loaded, with its place in what was asked for.
    """

    def __init__(
        self, images: ImageSet, visit: Callable[[int, Sample], object], decoder: torch.device | None = None
    ) -> None:
        self._reader, self._decoder = _Reader(images, visit), decoder
        self._count = 0 if decoder else _workers(len(images))
        self._pool = _pool(self._reader, self._count) if self._count > 1 else None
        if self._pool is not None:  # forked by this thread: they end with the thread that forked them
            self._pool.submit(int).result()

    def load(self, places: Sequence[int]) -> None:
        """Raises CamForgeError for an image that cannot be read any more, or where a process died."""
        pairs = [(i, row) for row, i in enumerate(places)]
        if self._pool is None:
            with decoding_on(self._decoder):
                found: Iterable[list[tuple[int, Any]]] = [_read_chunk(pairs, self._reader)]
        else:
            size = -(-len(pairs) // (2 * self._count))
            chunks = [pairs[start : start + size] for start in range(0, len(pairs), size)]
            found = _mapped(self._pool, chunks, self._count, len(self._reader.images))
        for _, one in (pair for chunk in found for pair in chunk):
            if isinstance(_no_mistake(one), Unread):
                raise CamForgeError(f"an image that could be read before cannot be read now: {one.reason}")


def _no_mistake(found: T | Unread | _Mistake) -> T | Unread:
    if isinstance(found, _Mistake):
        error = CamForgeError(found.line)
        error.add_note(found.trace)
        raise error
    return found


def _workers(count: int) -> int:
    """How many processes read ``count`` images; fewer than two: this one does."""
    return min(cpu_count(), count // FEW) if "fork" in multiprocessing.get_all_start_methods() else 0


def _results(reader: _Reader[T], decoder: torch.device | None) -> Iterator[tuple[int, T | Unread | _Mistake]]:
    count = len(reader.images)
    workers = _workers(count)
    if decoder is not None:
        yield from _by_threads(reader, decoder)
    elif workers > 1:
        yield from _shared_out(reader, workers)
    else:
        yield from ((i, reader.read(i, i)) for i in range(count))


def _shared_out(reader: _Reader[T], workers: int) -> Iterator[tuple[int, T | Unread | _Mistake]]:
    count = len(reader.images)
    size = max(1, min(CHUNK, count // (4 * workers)))
    chunks = [[(i, i) for i in range(start, min(start + size, count))] for start in range(0, count, size)]
    pool = _pool(reader, workers)
    try:
        for found in _mapped(pool, chunks, workers, count):
            yield from found
    finally:
        pool.shutdown(cancel_futures=True)


def _by_threads(reader: _Reader[T], decoder: torch.device) -> Iterator[tuple[int, T | Unread | _Mistake]]:
    count = len(reader.images)
    chunks = [[(i, i) for i in range(start, min(start + CHUNK, count))] for start in range(0, count, CHUNK)]
    pool = ThreadPoolExecutor(min(THREADS, cpu_count()), "decode")
    try:
        with decoding_on(decoder):
            for found in pool.map(_read_chunk, chunks, repeat(reader)):
                yield from found
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(reader: _Reader[Any], workers: int) -> ProcessPoolExecutor:
    """Forked, since a data set's closures cannot be pickled. Messages go through pipes, none through /dev/shm."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _serve, (reader,))


def _mapped(
    pool: ProcessPoolExecutor, chunks: Sequence[list[tuple[int, int]]], workers: int, count: int
) -> Iterator[list[tuple[int, Any]]]:
    """What came of each chunk, in order."""
    try:
        yield from pool.map(_read_chunk, chunks)
    except BrokenProcessPool:
        message = f"a process that read images died (killed, or out of memory), of {workers} that read {count} images"
        raise CamForgeError(message) from None


def _read_chunk(pairs: Sequence[tuple[int, int]], reader: _Reader[Any] | None = None) -> list[tuple[int, Any]]:
    """Pairs of an image and the row as which it is visited -> pairs of the image and what came of it."""
    reader = reader or _reader
    assert reader is not None
    return [(i, reader.read(i, row)) for i, row in pairs]


def _serve(reader: _Reader[Any]) -> None:
    """Ctrl-C is for the run alone, which ends its readers; none outlives a killed run."""
    global _reader
    _reader = reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    torch.set_num_threads(1)  # the cores are shared out already, and threads do not survive a fork
    cv2.setNumThreads(0)
