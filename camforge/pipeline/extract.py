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
from camforge.pipeline.recipes import data_recipe, recipe_of
from camforge.pipeline.session import Session
from camforge.store.store import digest, write_tensors
from camforge.training import distributed
from camforge.types import CamForgeError, Network, TrainedModel

TargetClasses = Literal["present", "all"]


@dataclass(frozen=True)
class MapRequest:
    """What an arm wants of one trained view: an extractor's maps for the outputs shown, or for all."""

    model: TrainedModel
    extractor: Extractor
    target_classes: TargetClasses

    def recipe(self, split: Prepared) -> dict[str, Any]:
        """What determines the maps."""
        return data_recipe(split) | {
            "network": self.model.key,
            "assignment": self.model.view.assignment,
            "extractor": recipe_of(self.extractor),
            "target_classes": self.target_classes,
        }


@dataclass(frozen=True, eq=False)
class StoredMaps:
    """The maps of one network and extractor over a whole split.

    rows    (N, K) int64: the row of each (image, output), -1 where it was not asked for
    maps    per branch, per layer: (Q, h, w) float32
    logits  (N, K) float32, the mean over the branches
    """

    rows: Tensor
    maps: tuple[tuple[Tensor, ...], ...]
    logits: Tensor


def extract(requests: Sequence[MapRequest], session: Session, split: Prepared) -> dict[str, Path | Exception]:
    """Every order's entry in the store by its key, or why there is none. Orders of one network share its passes."""
    done: dict[str, Path | Exception] = {}
    missing: dict[tuple[str, str], dict[str, MapRequest]] = {}
    for request in requests:
        key = digest(request.recipe(split))
        entry = done.get(key) or session.store.find("maps", key)
        if entry is not None:
            done[key] = entry
        else:
            missing.setdefault((request.model.key, request.target_classes), {})[key] = request
    for same_pass in session.progress.track("extract", missing.values()):
        done |= _isolated(same_pass, session, split)
    return done


def unwrap_or_raise(entry: Path | Exception) -> Path:
    """The entry, or the exception raised that stands in its place."""
    if isinstance(entry, Exception):
        raise entry
    return entry


def _isolated(requests: Mapping[str, MapRequest], session: Session, split: Prepared) -> Mapping[str, Path | Exception]:
    """One pass for all; where it fails, one for each, so that an extractor that fails takes no other with it."""
    try:
        first = next(iter(requests.values()))
        with blaming(first.extractor) if len(requests) == 1 else nullcontext():
            return _one_network(requests, session, split)
    except Exception as error:
        if len(requests) == 1:
            return dict.fromkeys(requests, error)
        session.progress.say(f"a pass with {len(requests)} extractors failed ({error}): each has one of its own")
        apart = [_isolated({key: request}, session, split) for key, request in requests.items()]
        return {key: entry for part in apart for key, entry in part.items()}


def _one_network(requests: Mapping[str, MapRequest], session: Session, split: Prepared) -> dict[str, Path]:
    branches = [
        distributed.gather(parts) for parts in distributed.on_all_ranks(lambda: _passes(requests, session, split))
    ]
    rows = _row_table(_targets(next(iter(requests.values())), split))
    done = {}
    for i, (key, request) in enumerate(requests.items()):

        def write(draft: Path, i: int = i) -> None:
            logits = torch.stack([torch.cat([part.logits for part in parts]) for parts in branches]).mean(0)
            maps = [_joined([part.maps[i] for part in parts]) for parts in branches]
            write_tensors(draft / "maps.pt", {"rows": rows, "maps": maps, "logits": logits})

        done[key] = session.store.commit("maps", key, request.recipe(split), write)
    return done


@dataclass(frozen=True, eq=False)
class BatchMaps:
    """One batch's share: maps per extractor and layer, (Q, h, w) float32, and (B, K) logits, both on the CPU."""

    maps: list[list[Tensor]]
    logits: Tensor

    @classmethod
    def joined(cls, parts: Sequence[BatchMaps]) -> BatchMaps:
        """The parts of one batch, one after another."""
        maps = [_joined(list(same)) for same in zip(*(part.maps for part in parts), strict=True)]
        return cls(maps, torch.cat([part.logits for part in parts]))


def _pass(
    network: Network, extractors: Sequence[Extractor], images: Tensor, target_classes: Tensor, start: int, stop: int
) -> BatchMaps:
    """The maps of the images ``start`` to ``stop`` of a batch."""
    seen = extract_maps(network, images[start:stop], extractors, target_classes[start:stop].to(images.device))
    maps = [[layer.float().cpu() for layer in layers] for layers in seen.maps]
    return BatchMaps(maps, seen.logits.float().cpu())


def _passes(requests: Mapping[str, MapRequest], session: Session, split: Prepared) -> list[list[BatchMaps]]:
    """Per branch the batches of the split that are this process's, in smaller passes from where memory runs out."""
    first = next(iter(requests.values()))
    extractors = [request.extractor for request in requests.values()]
    target_classes, networks = _targets(first, split), first.model.networks
    label = f"extract {', '.join(dict.fromkeys(e.name for e in extractors))} from {first.model.view.name}"
    branches: list[list[BatchMaps]] = []
    fits = batch_size = session.experiment.batch_size
    with session.progress.task(label) as tick:
        for branch, network in enumerate(networks):
            branches.append([])
            for places, batch in split.batches(batch_size, session.device, distributed.batches()):
                some = partial(_pass, network, extractors, batch.images, target_classes[places])
                try:
                    parts = list(in_chunks(0, len(places), fits, some))
                except CamForgeError as error:
                    raise CamForgeError(f"{label}: {error} (images {batch.ids[0]} to {batch.ids[-1]})") from error
                if fits > (most := max(len(part.logits) for part in parts)) and len(parts) > 1:
                    session.progress.say(f"{label}: memory ran out with {fits} images at a time, {most} fit")
                    fits = most
                branches[branch].append(BatchMaps.joined(parts))
                tick(branch * len(split) + places[-1] + 1, len(split) * len(networks))
    return branches


def _joined(parts: list[list[Tensor]]) -> list[Tensor]:
    """Per layer the maps of all batches."""
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]


def _targets(request: MapRequest, split: Prepared) -> Tensor:
    """(N, K) bool: the outputs whose maps are asked for."""
    shown = request.model.view.targets(split.labels)
    return shown if request.target_classes == "present" else torch.ones_like(shown)


def _row_table(target_classes: Tensor) -> Tensor:
    """Rows are numbered image by image, outputs in order: the order in which the pass returns its pairs."""
    numbers = target_classes.flatten().cumsum(0).reshape(target_classes.shape) - 1
    return torch.where(target_classes, numbers, torch.full_like(numbers, -1))


def load(entry: Path) -> StoredMaps:
    """A finished extraction."""
    state = torch.load(entry / "maps.pt", map_location="cpu", weights_only=True)
    return StoredMaps(state["rows"], tuple(tuple(layers) for layers in state["maps"]), state["logits"])
