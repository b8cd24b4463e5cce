"""A training's batches: which images, in which order, and how they reach the device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dataset import DefaultSampler
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from camforge.data.feeding import feed
from camforge.data.prepared import Prepared
from camforge.training import distributed
from camforge.training.seeds import FoundSeeds


class Batches(Dataset[Any]):
    """Pixels and targets, fetched a batch at a time; of each batch this process's share, and how many it is of."""

    metainfo: dict[str, Any] = {}

    def __init__(
        self, data: Prepared, places: Tensor, targets: Tensor, device: torch.device, seeds: FoundSeeds | None = None
    ) -> None:
        self.data, self.places, self.targets, self.device, self.seeds = data, places, targets, device, seeds

    def __len__(self) -> int:
        return len(self.places)

    def fetch(self, items: list[int]) -> dict[str, Tensor]:
        mine = items[distributed.share(len(items))]
        pixels = self.data.pixels(self.places[mine].tolist(), self.device)
        targets = self.targets[mine].float() if self.seeds is None else self.seeds.at(self.places[mine])
        return {"images": pixels, "targets": targets}

    def __getitems__(self, items: list[int]) -> dict[str, Any]:
        return {**self.fetch(items), "of": len(items)}


class Loader(DataLoader[Any]):
    """For a GPU a thread fetches the next batches and copies them, on a stream of its own, while the last one trains.

    The number that torch's loader draws at each start is drawn here as well: crops and flips are those of the CPU.
    """

    dataset: Batches

    def __iter__(self) -> Any:
        if self.dataset.device.type == "cpu":
            return super().__iter__()
        torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        return self._fed()

    def _fed(self) -> Iterator[dict[str, Any]]:
        items = list(self.batch_sampler or [])
        for batch, tensors in zip(items, feed(items, self.dataset.fetch, self.dataset.device), strict=True):
            yield {**tensors, "of": len(batch)}


class SameOrder(DefaultSampler):
    """The batches of one process, in every process: each takes its share of every batch."""

    def __init__(self, data: Batches, seed: int) -> None:
        super().__init__(data, shuffle=True, seed=seed)
        self.rank, self.world_size = 0, 1
        self.num_samples = self.total_size = len(data)
