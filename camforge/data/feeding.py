"""Batches that are on the device before they are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
AHEAD = 3  # batches that are read before they are used


def empty(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """uint8 memory to read into, from which a GPU can copy by itself."""
    return torch.empty(shape, dtype=torch.uint8, pin_memory=device.type == "cuda")


def feed(
    items: Iterable[T], load: Callable[[T], dict[str, Tensor]], device: torch.device
) -> Iterator[dict[str, Tensor]]:
    """``load(item)`` for every item in order, its tensors on the device.

    For a GPU a thread of its own loads ahead and copies on a stream of its own; nothing waits for the device. ``load``
    fills pinned memory (``empty``). On the CPU, whose cores compute, each is loaded when it is asked for.
    """
    if device.type != "cuda":
        for item in items:
            yield {name: tensor.to(device) for name, tensor in load(item).items()}
        return
    stream = torch.cuda.Stream(device)
    left = iter(items)
    with ThreadPoolExecutor(1, "feed") as thread:
        waiting = deque(thread.submit(_copied, load, item, device, stream) for item in islice(left, AHEAD))
        try:
            while waiting:
                tensors = _taken(waiting.popleft(), device)
                waiting.extend(thread.submit(_copied, load, item, device, stream) for item in islice(left, 1))
                yield tensors
        finally:
            thread.shutdown(cancel_futures=True)


def _copied(
    load: Callable[[T], dict[str, Tensor]], item: T, device: torch.device, stream: torch.cuda.Stream
) -> tuple[dict[str, Tensor], torch.cuda.Event]:
    tensors = load(item)
    with torch.cuda.stream(stream):
        copies = {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}
        return copies, stream.record_event()


def _taken(copied: Future[tuple[dict[str, Tensor], torch.cuda.Event]], device: torch.device) -> dict[str, Tensor]:
    """The tensors, for use on the current stream, which waits for their copies by itself."""
    tensors, arrived = copied.result()
    current = torch.cuda.current_stream(device)
    current.wait_event(arrived)
    for tensor in tensors.values():
        tensor.record_stream(current)
    return tensors
