"""The extract stage: one pass per network for all extractors that any arm asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from camforge.capture import extract_maps
from camforge.capture.rerun import in_chunks
from camforge.data.prepared import Prepared
from camforge.interfaces import Extractor
from camforge.pipeline.failure import blaming
from camforge.pipeline.session import Bench, recipe_of
from camforge.store.store import digest, write_tensors
from camforge.training import distributed
from camforge.types import CamForgeError, Network, TrainedModel

Wanted = Literal["present", "all"]


@dataclass(frozen=True)
class Order:
    """What an arm wants of one trained view: an extractor's maps for the outputs shown, or for all."""

    model: TrainedModel
    extractor: Extractor
    wanted: Wanted

    def recipe(self, bench: Bench, val: Prepared) -> dict[str, Any]:
        """What determines the maps."""
        return bench.data_recipe(val) | {
            "network": self.model.key,
            "assignment": self.model.view.assignment,
            "extractor": recipe_of(self.extractor),
            "wanted": self.wanted,
        }


@dataclass(frozen=True, eq=False)
class Extracted:
    """The maps of one network and extractor over a whole split.

    rows    (N, K) int64: the row of each (image, output), -1 where it was not asked for
    maps    per branch, per layer: (Q, h, w) float32
    logits  (N, K) float32, the mean over the branches
    """

    rows: Tensor
    maps: tuple[tuple[Tensor, ...], ...]
    logits: Tensor


def extract(orders: Sequence[Order], bench: Bench, val: Prepared, batch_size: int) -> dict[str, Path | Exception]:
    """Every order's entry in the store by its key, or why there is none. Orders of one network share its passes."""
    done: dict[str, Path | Exception] = {}
    missing: dict[tuple[str, str], dict[str, Order]] = {}
    for order in orders:
        key = digest(order.recipe(bench, val))
        entry = done.get(key) or bench.store.find("maps", key)
        if entry is not None:
            done[key] = entry
        else:
            missing.setdefault((order.model.key, order.wanted), {})[key] = order
    for same_pass in bench.progress.each("extract", missing.values()):
        done |= _isolated(same_pass, bench, val, batch_size)
    return done


def found(entry: Path | Exception) -> Path:
    """The entry, or the exception raised that stands in its place."""
    if isinstance(entry, Exception):
        raise entry
    return entry


def _isolated(
    orders: Mapping[str, Order], bench: Bench, val: Prepared, batch_size: int
) -> Mapping[str, Path | Exception]:
    """One pass for all; where it fails, one for each, so that an extractor that fails takes no other with it."""
    try:
        first = next(iter(orders.values()))
        with blaming(first.extractor) if len(orders) == 1 else nullcontext():
            return _one_network(orders, bench, val, batch_size)
    except Exception as error:
        if len(orders) == 1:
            return dict.fromkeys(orders, error)
        bench.progress.say(f"a pass with {len(orders)} extractors failed ({error}): each has one of its own")
        apart = [_isolated({key: order}, bench, val, batch_size) for key, order in orders.items()]
        return {key: entry for part in apart for key, entry in part.items()}


def _one_network(orders: Mapping[str, Order], bench: Bench, val: Prepared, batch_size: int) -> dict[str, Path]:
    branches = [
        distributed.gathered(parts) for parts in distributed.together(lambda: _passes(orders, bench, val, batch_size))
    ]
    rows = _row_table(_targets(next(iter(orders.values())), val))
    done = {}
    for i, (key, order) in enumerate(orders.items()):

        def write(draft: Path, i: int = i) -> None:
            logits = torch.stack([torch.cat([part.logits for part in parts]) for parts in branches]).mean(0)
            maps = [_joined([part.maps[i] for part in parts]) for parts in branches]
            write_tensors(draft / "maps.pt", {"rows": rows, "maps": maps, "logits": logits})

        done[key] = bench.store.keep("maps", key, order.recipe(bench, val), write)
    return done


@dataclass(frozen=True, eq=False)
class Part:
    """One batch's share: maps per extractor and layer, (Q, h, w) float32, and (B, K) logits, both on the CPU."""

    maps: list[list[Tensor]]
    logits: Tensor

    @classmethod
    def joined(cls, parts: Sequence[Part]) -> Part:
        """The parts of one batch, one after another."""
        maps = [_joined(list(same)) for same in zip(*(part.maps for part in parts), strict=True)]
        return cls(maps, torch.cat([part.logits for part in parts]))


def _pass(
    network: Network, extractors: Sequence[Extractor], images: Tensor, wanted: Tensor, start: int, stop: int
) -> Part:
    """The maps of the images ``start`` to ``stop`` of a batch."""
    seen = extract_maps(network, images[start:stop], extractors, wanted[start:stop].to(images.device))
    maps = [[layer.float().cpu() for layer in layers] for layers in seen.maps]
    return Part(maps, seen.logits.float().cpu())


def _passes(orders: Mapping[str, Order], bench: Bench, val: Prepared, batch_size: int) -> list[list[Part]]:
    """Per branch the batches of the split that are this process's, in smaller passes from where memory runs out."""
    first = next(iter(orders.values()))
    extractors = [order.extractor for order in orders.values()]
    wanted, networks = _targets(first, val), first.model.networks
    label = f"extract {', '.join(dict.fromkeys(e.name for e in extractors))} from {first.model.view.name}"
    branches: list[list[Part]] = []
    fits = batch_size
    with bench.progress.task(label) as tick:
        for branch, network in enumerate(networks):
            branches.append([])
            for places, batch in val.batches(batch_size, bench.device, distributed.batches()):
                some = partial(_pass, network, extractors, batch.images, wanted[places])
                try:
                    parts = list(in_chunks(0, len(places), fits, some))
                except CamForgeError as error:
                    raise CamForgeError(f"{label}: {error} (images {batch.ids[0]} to {batch.ids[-1]})") from error
                if fits > (most := max(len(part.logits) for part in parts)) and len(parts) > 1:
                    bench.progress.say(f"{label}: memory ran out with {fits} images at a time, {most} fit")
                    fits = most
                branches[branch].append(Part.joined(parts))
                tick(branch * len(val) + places[-1] + 1, len(val) * len(networks))
    return branches


def _joined(parts: list[list[Tensor]]) -> list[Tensor]:
    """Per layer the maps of all batches."""
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]


def _targets(order: Order, val: Prepared) -> Tensor:
    """(N, K) bool: the outputs whose maps are wanted."""
    shown = order.model.view.targets(val.labels)
    return shown if order.wanted == "present" else torch.ones_like(shown)


def _row_table(wanted: Tensor) -> Tensor:
    """Rows are numbered image by image, outputs in order: the order in which the pass returns its pairs."""
    numbers = wanted.flatten().cumsum(0).reshape(wanted.shape) - 1
    return torch.where(wanted, numbers, torch.full_like(numbers, -1))


def load(entry: Path) -> Extracted:
    """A finished extraction."""
    state = torch.load(entry / "maps.pt", map_location="cpu", weights_only=True)
    return Extracted(state["rows"], tuple(tuple(layers) for layers in state["maps"]), state["logits"])
