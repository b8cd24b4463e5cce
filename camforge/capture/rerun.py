"""Run the network again on other images, or only what lies behind a layer on other values, within a memory budget."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from camforge.capture.attention.functions import Functions, Rules
from camforge.capture.captured import Capture, Needs
from camforge.capture.forward import Runner
from camforge.capture.model.guided import GuidedReLU
from camforge.capture.tail import Tail
from camforge.maps import wide
from camforge.types import CamForgeError

rerun_progress: ContextVar[Callable[[int, int], None]] = ContextVar("rerun_progress", default=lambda *_: None)
"""Called with (done, total) as the variants of one image are run, for who waits for a slow method."""
T = TypeVar("T")
Make = Callable[[int, int], Tensor]
Change = Callable[[Tensor, int, int], Tensor]

# MiB. The CPU's allocator gets tensors of over 32 MiB from the system each time: larger chunks are a third slower.
ON_CPU, ON_GPU = 128, 1024


@dataclass
class RerunCache:
    """What one pass keeps for the targets still to come.

    tables  key -> image -> (rows, K);  tails  layer -> what lies behind it
    bytes   where the network is entered -> the largest output of a module per row
    """

    tables: dict[Hashable, dict[int, Tensor]] = field(default_factory=dict)
    tails: dict[str, Tail] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Rerun:
    """What extractors that run the network again use.

    inputs     the model's inputs, B images;  images (P,) int64, the pairs' images
    recapture  the pass itself, for the same pairs on other inputs, for other needs, with other ReLUs
    """

    runner: Runner
    inputs: tuple[Any, ...]
    images: Tensor
    recapture: Callable[[tuple[Any, ...], Needs | None, TorchFunctionMode | None], Capture]
    cache: RerunCache

    def again(self, images: Tensor, needs: Needs | None = None, rules: Rules | None = None) -> Capture:
        """One more forward and backward for the same pairs on other images (P, 3, H, W).

        needs  what is captured; None: what the pass captures
        rules  name of a torch function ("linear", "matmul" …) -> ``rule(function, *args, **kwargs)``, which is computed
               in its place, in this thread and as long as the forward lasts
        """
        if rules and self.runner.create_graph:
            raise CamForgeError("create_graph: maps that are made under rules of relevance cannot be trained through")
        self._check_alone()
        mode = Functions(rules=rules) if rules else None
        return self.recapture((images, *self._others(self.images)), needs, mode)

    def guided(self, needs: Needs, required: bool = True) -> Capture:
        """One more forward and backward for the same pairs, whose ReLUs pass back positive gradients alone.

        required  raise CamForgeError where the model has no ReLU: then these gradients are the plain ones
        """
        self._check_alone()
        guided = GuidedReLU()
        inputs = (self.inputs[0][self.images], *self._others(self.images))
        capture = self.recapture(inputs, needs, guided)
        if required and not guided.count:
            raise CamForgeError("guided backpropagation changes the gradients of ReLUs: the model has none")
        return capture

    def table(self, key: Hashable, rows: int, make: Callable[[int], Tensor]) -> Tensor:
        """(P, rows, K): ``make(pair)`` gives (rows, K) of an image; its other targets find them again under ``key``."""
        done = self.cache.tables.setdefault(key, {})
        for pair, image in enumerate(self.images.tolist()):
            if image not in done:
                with torch.no_grad():
                    done[image] = make(pair)
        tables = [done[image] for image in self.images.tolist()]
        return torch.stack(tables) if tables else torch.zeros(0, rows, 1, device=self.images.device)

    def logits(self, pair: int, rows: int, make: Make, max_memory: int | None = None) -> Tensor:
        """(rows, K), in float32 or wider, of variants of a pair's image; ``make(start, stop)`` gives (m, 3, H, W).

        max_memory  MiB that a chunk of rows may take, None: what suits the device; a chunk is halved and tried again
                    when memory runs out
        """
        image = self.images[pair : pair + 1]

        def run(start: int, stop: int) -> Tensor:
            given = self.runner.laid_out(make(start, stop).to(self.inputs[0].dtype))
            return wide(self.runner.logits((given, *self._others(image.expand(stop - start)))))

        return self._in_chunks("", rows, run, max_memory)

    def logits_behind(self, layer: str, pair: int, rows: int, change: Change, max_memory: int | None = None) -> Tensor:
        """(rows, K), in float32 or wider, where the layer returns other values for a pair's image.

        ``change(value, start, stop)`` makes (m, …) of them from what the layer returned, (1, …) in its own layout.
        """
        if layer not in self.cache.tails:
            self.cache.tails[layer] = Tail.of(self.runner, layer, self.inputs)
        tail, image = self.cache.tails[layer], int(self.images[pair])

        def run(start: int, stop: int) -> Tensor:
            return wide(tail.logits(image, change(tail.value_of(image), start, stop)))

        return self._in_chunks(layer, rows, run, max_memory)

    def _check_alone(self) -> None:
        if len(self.inputs[0]) > 1 and self.runner.mixes_images:
            raise CamForgeError(
                "the model mixes the images of a batch (a batch norm without running statistics, or attention along "
                "the images' axis): none can be run again without the others: give one image, or a method of one "
                "pass, as gradcam"
            )

    def _in_chunks(self, entry: str, rows: int, run: Callable[[int, int], Tensor], max_memory: int | None) -> Tensor:
        self._check_alone()
        done = []
        if entry not in self.cache.bytes:
            with _largest_output(self.runner.model_layers.model) as largest:
                done.append(run(0, 1))
            self.cache.bytes[entry] = max(1, 4 * largest[0])  # input, output, workspace, a skip
        budget = max_memory << 20 if max_memory else chunk_bytes(self.images.device)
        size = 1 if self.runner.mixes_images else max(1, budget // self.cache.bytes[entry])
        tick = rerun_progress.get()
        for part in in_chunks(len(done), rows, size, run):
            done.append(part)
            tick(sum(map(len, done)), rows)
        return torch.cat(done)

    def _others(self, images: Tensor) -> tuple[Any, ...]:
        """The rows of the inputs beside the images; one that has no row per image is given as it is."""
        count = self.inputs[0].shape[:1]
        return tuple(x[images] if isinstance(x, Tensor) and x.shape[:1] == count else x for x in self.inputs[1:])


def chunk_bytes(device: torch.device) -> int:
    """Bytes that a chunk may take by default."""
    return (ON_CPU if device.type == "cpu" else ON_GPU) << 20


def in_chunks(first: int, last: int, size: int, run: Callable[[int, int], T]) -> Iterator[T]:
    """``run(start, stop)`` over [first, last), ``size`` at a time; half as many from where memory ran out."""
    start = first
    while start < last:
        stop, part = min(start + size, last), None
        try:
            part = run(start, stop)
        except (RuntimeError, MemoryError) as error:
            if stop - start == 1 or not out_of_memory(error):
                raise
        if part is None:  # outside of the handler, whose traceback holds the tensors that filled the memory
            size = (stop - start) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        else:
            yield part
            start = stop


def out_of_memory(error: BaseException) -> bool:
    """CUDA has a class for it; other allocators (CPU, Apple's GPU), oneDNN and CUDA's libraries only messages."""
    message = ("can't allocate memory", "out of memory", "could not create a primitive", "ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in message)


@contextmanager
def _largest_output(model: nn.Module) -> Iterator[list[int]]:
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
