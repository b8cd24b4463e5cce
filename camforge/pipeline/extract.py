"""The extract stage: one pass per network for all extractors that any arm asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from camforge.data.prepared import Prepared
from camforge.host.failure import blaming
from camforge.interfaces import Extractor
from camforge.pipeline.extraction.passes import BatchMaps, Passes, ahead
from camforge.pipeline.session import Session, data_recipe, recipe_of
from camforge.store.store import digest
from camforge.store.stored_maps import MapWriter, everything
from camforge.training import distributed
from camforge.types import Batch, Network, TrainedModel

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
    passes = Passes([request.extractor], session, "", 1)
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


def _passes(
    requests: Mapping[str, MapRequest], session: Session, split: Prepared, targets: Tensor,
    writers: Sequence[MapWriter],
) -> None:  # fmt: skip
    """Every branch over the split; the leader appends its maps and logits as they come."""
    model = next(iter(requests.values())).model
    extractors = [request.extractor for request in requests.values()]
    label = f"extract {', '.join(dict.fromkeys(e.name for e in extractors))} from {model.view.name}"
    with session.progress.task(label) as tick:
        passes = Passes(extractors, session, label, session.batch_size)
        for branch, network in enumerate(model.networks):
            counted = partial(_tick, tick, branch, len(model.networks))
            for batch_maps in _rounds(passes, passes.ready(network), split, targets, counted):
                for place, writer in enumerate(writers):
                    writer.append(branch, batch_maps.maps[place], batch_maps.logits)


def _tick(tick: Tick, branch: int, branches: int, done: int, total: int) -> None:
    tick(branch * total + done, branches * total)


def _rounds(passes: Passes, network: Network, split: Prepared, targets: Tensor, tick: Tick) -> Iterator[BatchMaps]:
    """The batches in order, on the leader; each round every process takes one of them."""
    device = passes.session.device
    given = split.batches(passes.batch_size, device, distributed.batches())
    mine = ahead((passes.start(network, *batch, targets) for batch in given), 1 if device.type == "cuda" else 0)
    batches = -(-len(split) // passes.batch_size)
    for first in range(0, batches, distributed.size()):

        def step() -> list[BatchMaps]:
            found = next(mine, None)
            return [] if found is None else [found]

        yield from distributed.gather(distributed.on_all_ranks(step))
        tick(min((first + distributed.size()) * passes.batch_size, len(split)), len(split))
