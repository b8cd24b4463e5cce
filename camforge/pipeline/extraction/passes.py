"""Passes of one network over batches: maps and logits, on their way to the CPU while the next batch is begun."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from camforge.capture.arriving import Arriving
from camforge.capture.one_pass import Extraction, start_maps
from camforge.capture.rerun import in_chunks
from camforge.interfaces import Extractor
from camforge.pipeline.session import Session
from camforge.training.precision import autocast, cast_convolutions
from camforge.types import Batch, CamForgeError, Network


@dataclass(frozen=True, eq=False)
class BatchMaps:
    """One batch's share: maps per extractor and layer, (Q, h, w) float32, and (B, K) logits, both on the CPU."""

    maps: list[list[Tensor]]
    logits: Tensor

    @classmethod
    def joined(cls, parts: Sequence[BatchMaps]) -> BatchMaps:
        """The parts of one batch, one after another."""
        if len(parts) == 1:
            return parts[0]
        same = (zip(*layers, strict=True) for layers in zip(*(part.maps for part in parts), strict=True))
        maps = [[torch.cat(layer) for layer in layers] for layers in same]
        return cls(maps, torch.cat([part.logits for part in parts]))


class _Underway:
    """Maps and logits on their way to the CPU: from a GPU in one copy, which it makes behind what it has to do."""

    def __init__(self, found: Extraction) -> None:
        flat = [layer.float() for layers in found.maps for layer in layers] + [found.logits.float()]
        self._layers = [len(layers) for layers in found.maps]
        self._shapes = [tensor.shape for tensor in flat]
        gathered = [torch.cat([tensor.flatten() for tensor in flat])] if flat[0].is_cuda else flat
        self._copies = [Arriving(tensor) for tensor in gathered]

    def wait(self) -> BatchMaps:
        values: Sequence[Tensor] = [copy.wait() for copy in self._copies]
        if len(values) < len(self._shapes):
            values = values[0].split([shape.numel() for shape in self._shapes])
        *layers, logits = [part.view(shape) for part, shape in zip(values, self._shapes, strict=True)]
        each = iter(layers)
        return BatchMaps([list(islice(each, count)) for count in self._layers], logits)


def ahead(started: Iterator[Callable[[], BatchMaps]], count: int) -> Iterator[BatchMaps]:
    """The results in order, each when the next ``count`` are under way: the device has always something to do."""
    waiting: deque[Callable[[], BatchMaps]] = deque()
    for finish in started:
        waiting.append(finish)
        if len(waiting) > count:
            yield waiting.popleft()()
    while waiting:
        yield waiting.popleft()()


@dataclass(eq=False)
class Passes:
    """What is extracted of every batch. ``fits``: images at a time, fewer from where memory ran out."""

    extractors: Sequence[Extractor]
    session: Session
    label: str
    batch_size: int

    def __post_init__(self) -> None:
        self.fits = self.batch_size

    @property
    def channels_last(self) -> bool:
        asked = self.session.experiment.extraction.channels_last
        return self.session.device.type == "cuda" if asked is None else asked

    def ready(self, network: Network) -> Network:
        """A copy that is laid out as the images will lie and cast as the experiment asks; or the network itself."""
        asked = self.session.experiment.extraction
        if not self.channels_last and asked.autocast == "off":
            return network
        own = copy.deepcopy(network)
        if self.channels_last:
            own.to(memory_format=torch.channels_last)
        if asked.autocast != "off":
            cast_convolutions(own, asked.autocast)
        return own

    def of(self, network: Network, places: list[int], batch: Batch, targets: Tensor) -> BatchMaps:
        """The maps of one batch."""
        return self.start(network, places, batch, targets)()

    def start(self, network: Network, places: list[int], batch: Batch, targets: Tensor) -> Callable[[], BatchMaps]:
        """The maps of one batch are under way; the function returned waits for them."""
        some = partial(self._some, network, batch.images, targets[places])
        with self._naming(batch):
            parts = list(in_chunks(0, len(places), self.fits, some))
        most = max(count for count, _ in parts)
        if self.fits > most and len(parts) > 1:
            self.session.progress.say(f"{self.label}: memory ran out with {self.fits} images at a time, {most} fit")
            self.fits = most

        def finish() -> BatchMaps:
            with self._naming(batch), self._precision(batch.images):  # what a check refuses is run once more
                return BatchMaps.joined([underway().wait() for _, underway in parts])

        return finish

    def _precision(self, images: Tensor) -> Any:
        return autocast(self.session.experiment.extraction.autocast, images.device)

    @contextmanager
    def _naming(self, batch: Batch) -> Iterator[None]:
        """An error names the images."""
        try:
            yield
        except CamForgeError as error:
            raise CamForgeError(f"{self.label}: {error} (images {batch.ids[0]} to {batch.ids[-1]})") from error

    def _some(
        self, network: Network, images: Tensor, targets: Tensor, start: int, stop: int
    ) -> tuple[int, Callable[[], _Underway]]:
        """How many, and the maps of the images ``start`` to ``stop`` of a batch."""
        some = images[start:stop]
        if self.channels_last:
            some = some.contiguous(memory_format=torch.channels_last)
        with self._precision(some):
            return stop - start, start_maps(network, some, self.extractors, targets[start:stop], _Underway)
