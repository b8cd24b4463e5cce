"""Run the network again on other images, or only what lies behind a layer on other values, within a memory budget."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture.captured import Capture
from camforge.capture.forward import Runner
from camforge.capture.tail import Tail

Make = Callable[[int, int, int], Tensor]
Change = Callable[[Tensor, int, int], Tensor]


@dataclass(frozen=True, eq=False)
class Rerun:
    """What gradient-free extractors use. Tables of logits are kept for the pass: other targets of an image reuse them.

    inputs     the model's inputs, B images;  images (P,) int64, the pairs' images
    tables     what was run so far: key -> image -> (rows, K)
    recapture  the pass itself, for the same pairs on other images
    """

    runner: Runner
    inputs: tuple[Any, ...]
    images: Tensor
    tables: dict[Hashable, dict[int, Tensor]]
    recapture: Callable[[tuple[Any, ...]], Capture]

    def again(self, images: Tensor) -> Capture:
        """One more forward and backward for the same pairs and needs on other images (P, 3, H, W)."""
        return self.recapture((images, *_rows(self.inputs[1:], self.images, self.inputs[0].shape[0])))

    def logits(self, key: Hashable, rows: int, make: Make, max_memory: int) -> Tensor:
        """Logits (P, rows, K) of ``rows`` variants of each pair's image.

        make        ``make(pair, start, stop)`` gives some of the variants, (m, 3, H, W)
        max_memory  MiB that a chunk of rows may take; a chunk is halved and tried again when memory runs out
        """

        def run(pair: int, start: int, stop: int) -> Tensor:
            image = self.images[pair : pair + 1].expand(stop - start)
            others = _rows(self.inputs[1:], image, self.inputs[0].shape[0])
            return self.runner.logits((self.runner.laid_out(make(pair, start, stop)), *others))

        return self._table(key, rows, run, max_memory)

    def logits_behind(self, layer: str, key: Hashable, rows: int, change: Change, max_memory: int) -> Tensor:
        """Logits (P, rows, K) where the layer returns other values.

        ``change(value, start, stop)`` makes (m, …) of them from what the layer returned for the image, (1, …).
        """
        tails: list[Tail] = []

        def run(pair: int, start: int, stop: int) -> Tensor:
            if not tails:
                tails.append(Tail.of(self.runner, layer, self.inputs))
            image = int(self.images[pair])
            return tails[0].logits(image, change(tails[0].value_of(image), start, stop))

        return self._table((key, layer), rows, run, max_memory)

    def _table(self, key: Hashable, rows: int, run: Callable[[int, int, int], Tensor], max_memory: int) -> Tensor:
        """Fill in the images that were not run yet and give (P, rows, K)."""
        done = self.tables.setdefault(key, {})
        with torch.no_grad():
            for pair, image in enumerate(self.images.tolist()):
                if image not in done:
                    with _measuring(self.runner.probe.model) as taken:
                        first = run(pair, 0, 1)
                    size = max(1, (max_memory << 20) // max(1, 4 * taken[0]))  # input, output, workspace, a skip
                    rest = in_chunks(1, rows, size, lambda start, stop, pair=pair: run(pair, start, stop))  # type: ignore[misc]
                    done[image] = torch.cat([first, *rest])
        return torch.stack([done[image] for image in self.images.tolist()])


def in_chunks(first: int, last: int, size: int, run: Callable[[int, int], Tensor]) -> Iterator[Tensor]:
    """``run(start, stop)`` over [first, last), ``size`` at a time; half as many from where memory ran out."""
    start = first
    while start < last:
        stop = min(start + size, last)
        try:
            part = run(start, stop)
        except (RuntimeError, MemoryError) as error:
            if stop - start == 1 or not _out_of_memory(error):
                raise
            part, size = None, (stop - start) // 2
        if part is None:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        else:
            yield part
            start = stop


def _out_of_memory(error: BaseException) -> bool:
    """CUDA has a class for it; the allocator of the CPU only a message."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def _rows(others: tuple[Any, ...], images: Tensor, count: int) -> tuple[Any, ...]:
    """The rows of the inputs beside the images; one that has no row per image is given as it is."""
    return tuple(x[images] if isinstance(x, Tensor) and x.dim() and x.shape[0] == count else x for x in others)


@contextmanager
def _measuring(model: nn.Module) -> Iterator[list[int]]:
    """[bytes of the largest output of any module] of what runs inside the ``with`` block."""
    largest = [0]

    def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            largest[0] = max(largest[0], output.numel() * output.element_size())

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        yield largest
    finally:
        for handle in handles:
            handle.remove()
