"""Batches that a thread fetches for a GPU are those that torch's loader gives on the CPU."""

from typing import Any

import torch

from camforge.data.prepared import Prepared
from camforge.training.batches import Batches, Loader, SameOrder


def loader(data: Prepared, device: str) -> Loader:
    places = torch.arange(5, 48)
    batches = Batches(data, places, data.labels[places].float(), torch.device(device))
    return Loader(batches, batch_size=16, sampler=SameOrder(batches, 3), collate_fn=lambda batch: batch)


def test_fetched_batches_are_the_loader_s(data: Prepared) -> None:
    expected: list[dict[str, Any]] = list(loader(data, "cpu"))
    found = list(loader(data, "cpu")._fed())
    assert [batch["of"] for batch in found] == [batch["of"] for batch in expected] == [16, 16, 11]
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours["images"], theirs["images"])
        assert torch.equal(ours["targets"], theirs["targets"])


def test_another_device_sees_the_same_random_numbers(data: Prepared) -> None:
    """Crops and flips are drawn between batches: nothing else may draw, and what torch's loader draws must be drawn."""
    drawn = []
    for device in ("cpu", "meta"):
        torch.manual_seed(7)
        drawn.append([torch.rand(()).item() for _ in loader(data, device)])
    assert drawn[0] == drawn[1]
