"""The extract stage: one pass per network for all extractors that any arm asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from camforge.capture import extract_maps
from camforge.capture.rerun import in_chunks
from camforge.data.prepared import Prepared
from camforge.host.failure import blaming
from camforge.interfaces import Extractor
from camforge.pipeline.session import Session, data_recipe, recipe_of
from camforge.store.store import digest
from camforge.store.stored_maps import MapWriter, everything
from camforge.training import distributed
from camforge.training.precision import autocast
from camforge.types import Batch, CamForgeError, Network, TrainedModel

TargetClasses = Literal["present", "all"]
Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class MapRequest:
    """What an arm asks of one trained view: an extractor's maps for the outputs shown, or for all.

    autocast  "off", or the precision of the network while they are made
    """

    model: TrainedModel
    extractor: Extractor
    target_classes: TargetClasses
    autocast: str

    def recipe(self, split: Prepared) -> dict[str, Any]:
        """What determines the maps."""
        found = data_recipe(split) | {
            "network": self.model.key,
            "assignment": self.model.view.assignment,
            "extractor": recipe_of(self.extractor),
            "target_classes": self.target_classes,
        }
        return found if self.autocast == "off" else found | {"autocast": self.autocast}

    def targets(self, split: Prepared) -> Tensor:
        """(N, K) bool: the outputs whose maps are asked for."""
        view = self.model.view
        return everything(len(split), len(view.outputs)) if self.target_classes == "all" else view.targets(split.labels)


def extract(requests: Sequence[MapRequest], session: Session, split: Prepared) -> dict[str, Path | Exception]:
    """Every request's entry in the store by its key, or why there is none. Requests of one network share its passes."""
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
        with session.progress.spent_on(same_pass):
            for group in _groups(same_pass, session, split):
                done |= _isolated(group, session, split)
    return done


def unwrap_or_raise(entry: Path | Exception) -> Path:
    """The entry, or the exception raised that stands in its place."""
    if isinstance(entry, Exception):
        raise entry
    return entry


def _groups(
    requests: Mapping[str, MapRequest], session: Session, split: Prepared
) -> Iterator[Mapping[str, MapRequest]]:
    """Those that share a pass; and each by itself that fails on one image, where it would take the others with it."""
    targets = next(iter(requests.values())).targets(split)
    shown = targets.any(1).nonzero().flatten().tolist()
    if len(requests) == 1 or not shown:
        yield requests
        return
    batch = split.batch(shown[:1], session.device)
    works = {key: _works(request, session, shown[:1], batch, targets) for key, request in requests.items()}
    if any(works.values()):
        yield {key: request for key, request in requests.items() if works[key]}
    yield from ({key: request} for key, request in requests.items() if not works[key])


def _works(request: MapRequest, session: Session, places: list[int], batch: Batch, targets: Tensor) -> bool:
    """Whether there are maps of one image. Its own pass tells why not."""
    passes = _Passes([request.extractor], session, "", 1)
    try:
        distributed.on_all_ranks(lambda: passes.of(request.model.networks[0], places, batch, targets))
    except Exception:
        return False
    return True


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
    """Maps go to the store's disk as they come; they are committed when the last batch is through."""
    targets = next(iter(requests.values())).targets(split)
    with ExitStack() as stack:
        writers: dict[str, MapWriter] = {}
        if distributed.rank() == 0:
            folder = stack.enter_context(session.store.temporary_dir())
            writers = {key: MapWriter(folder / key, targets) for key in requests}
        _passes(requests, session, split, targets, list(writers.values()))
        done = {}
        for key, request in requests.items():

            def write(draft: Path, key: str = key) -> None:
                writers[key].close()
                writers[key].move_to(draft)

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
        same = (zip(*layers, strict=True) for layers in zip(*(part.maps for part in parts), strict=True))
        maps = [[torch.cat(layer) for layer in layers] for layers in same]
        return cls(maps, torch.cat([part.logits for part in parts]))


def _passes(
    requests: Mapping[str, MapRequest], session: Session, split: Prepared, targets: Tensor,
    writers: Sequence[MapWriter],
) -> None:  # fmt: skip
    """Every branch over the split; the leader appends its maps and logits as they come."""
    model = next(iter(requests.values())).model
    extractors = [request.extractor for request in requests.values()]
    label = f"extract {', '.join(dict.fromkeys(e.name for e in extractors))} from {model.view.name}"
    with session.progress.task(label) as tick:
        passes = _Passes(extractors, session, label, session.experiment.batch_size)
        for branch, network in enumerate(model.networks):
            passes.lay_out(network)
            counted = partial(_tick, tick, branch, len(model.networks))
            for batch_maps in _rounds(passes, network, split, targets, counted):
                for place, writer in enumerate(writers):
                    writer.append(branch, batch_maps.maps[place], batch_maps.logits)


def _tick(tick: Tick, branch: int, branches: int, done: int, total: int) -> None:
    tick(branch * total + done, branches * total)


def _rounds(passes: _Passes, network: Network, split: Prepared, targets: Tensor, tick: Tick) -> Iterator[BatchMaps]:
    """The batches in order, on the leader; each round every process takes one of them."""
    mine = split.batches(passes.batch_size, passes.session.device, distributed.batches())
    batches = -(-len(split) // passes.batch_size)
    for first in range(0, batches, distributed.size()):

        def step() -> list[BatchMaps]:
            found = next(mine, None)
            return [] if found is None else [passes.of(network, *found, targets)]

        yield from distributed.gather(distributed.on_all_ranks(step))
        tick(min((first + distributed.size()) * passes.batch_size, len(split)), len(split))


@dataclass(eq=False)
class _Passes:
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

    def lay_out(self, network: Network) -> None:
        """The network's weights as the images will lie."""
        if self.channels_last:
            network.to(memory_format=torch.channels_last)

    def of(self, network: Network, places: list[int], batch: Batch, targets: Tensor) -> BatchMaps:
        """The maps of one batch."""
        some = partial(self._some, network, batch.images, targets[places])
        try:
            parts = list(in_chunks(0, len(places), self.fits, some))
        except CamForgeError as error:
            raise CamForgeError(f"{self.label}: {error} (images {batch.ids[0]} to {batch.ids[-1]})") from error
        most = max(len(part.logits) for part in parts)
        if self.fits > most and len(parts) > 1:
            self.session.progress.say(f"{self.label}: memory ran out with {self.fits} images at a time, {most} fit")
            self.fits = most
        return BatchMaps.joined(parts)

    def _some(self, network: Network, images: Tensor, targets: Tensor, start: int, stop: int) -> BatchMaps:
        """The maps of the images ``start`` to ``stop`` of a batch."""
        some = images[start:stop]
        if self.channels_last:
            some = some.contiguous(memory_format=torch.channels_last)
        with autocast(self.session.experiment.extraction.autocast, some.device):
            found = extract_maps(network, some, self.extractors, targets[start:stop])
        flat = [layer.float() for layers in found.maps for layer in layers]
        onto_cpu = iter(_in_one_copy(flat))
        maps = [[next(onto_cpu) for _ in layers] for layers in found.maps]
        return BatchMaps(maps, found.logits.float().cpu())


def _in_one_copy(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """The tensors on the CPU; from a GPU in one copy, since each waits for the device."""
    if not tensors or tensors[0].device.type == "cpu":
        return tensors
    whole = torch.cat([tensor.flatten() for tensor in tensors]).cpu()
    parts = whole.split([tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
