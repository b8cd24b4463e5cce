"""The one pass: hooks in, forward, hooks out, gradients per target rank and score, maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from camforge.capture.augment import brought_back, scaled, with_mirrored
from camforge.capture.captured import Capture, Needs, ScoreFunction
from camforge.capture.forward import Forward, Runner, Select, run_forward
from camforge.capture.layers import ModelLayers, unwrap
from camforge.capture.model.borrowing import borrowed
from camforge.capture.pairs import capture_rank, needs_no_backward, pairs_that_fit
from camforge.capture.rerun import RerunCache
from camforge.capture.structures import check_runnable, named_inputs
from camforge.capture.targets import Rank, Target, Targets, pairs_at_once, ranks, target_lists
from camforge.maps import all_finite, all_zero, merge_layers, wide

T = TypeVar("T")


class MapMaker(Protocol):
    """What the pass asks of an extractor; ``scales``, ``flip`` and ``tta_merge`` are its test-time augmentation."""

    @property
    def scales(self) -> tuple[float, ...]: ...

    @property
    def flip(self) -> bool: ...

    @property
    def tta_merge(self) -> Literal["sum", "max"]: ...

    def needs(self, model_layers: ModelLayers) -> Needs: ...

    def extract(self, capture: Capture) -> list[Tensor]: ...


@dataclass(frozen=True, eq=False)
class Extraction:
    """Maps of P (image, target) pairs, ordered by image, then as the image's targets were given.

    images (P,) int64 · targets (P,) int64, -1 where a callable was given · logits (B, K) of the whole batch
    maps    per extractor, per layer: (P, h, w), raw, at the layer's own size
    layers  per extractor: the paths of the modules that it read
    """

    images: Tensor
    targets: Tensor
    logits: Tensor
    maps: list[list[Tensor]]
    layers: list[tuple[str, ...]]

    def empty(self, extractor: int) -> Tensor:
        """(P,) bool: the pairs for which an extractor's maps are zero everywhere, on every layer."""
        return torch.stack([all_zero(maps) for maps in self.maps[extractor]]).all(0)

    def broken(self, extractor: int) -> Tensor:
        """(P,) bool: the pairs for which an extractor's maps hold a NaN or infinity."""
        return torch.stack([~all_finite(maps) for maps in self.maps[extractor]]).any(0)


def extract_maps(
    model: nn.Module,
    images: Tensor | tuple[Any, ...] | Mapping[str, Any],
    extractors: Sequence[MapMaker],
    targets: Targets = None,
    *,
    select: Select | None = None,
    create_graph: bool = False,
) -> Extraction:
    """Run the model once and let every extractor make its maps from that run.

    images (B, 3, H, W), or a tuple whose first entry they are or a dict of arguments, for a model of several inputs;
    targets as in ``target_lists``; ``select`` takes the logits out of what the model returns; ``create_graph`` gives
    maps to train through. The model comes back exactly as it was, also after an exception, whatever grad mode the
    caller is in.
    Extractors with test-time augmentation get further runs, shared by those that want the same views.
    """
    same: Callable[[Extraction], Extraction] = lambda found: found  # noqa: E731
    return start_maps(model, images, extractors, targets, same, select=select, create_graph=create_graph)()


def start_maps(
    model: nn.Module,
    images: Tensor | tuple[Any, ...] | Mapping[str, Any],
    extractors: Sequence[MapMaker],
    targets: Targets,
    then: Callable[[Extraction], T],
    *,
    select: Select | None = None,
    create_graph: bool = False,
) -> Callable[[], T]:
    """``then(extract_maps(…))`` set going on a GPU; the function returned waits for it and raises what checks find."""
    model = unwrap(model)
    check_runnable(model)
    inputs, names = named_inputs(model, images)

    def attempt() -> tuple[T, Runner]:
        runner = Runner(ModelLayers(model, inputs, names), select, create_graph)
        try:
            found = then(_extraction(runner, inputs, extractors, targets))
        except Exception:
            runner.check_finite()  # NaN explains what failed on them
            raise
        runner.settle()
        return found, runner

    started = borrowed(model, not create_graph, attempt)

    def finish() -> T:
        found, runner = started
        runner.check_finite()
        if runner.check_head():
            return found
        found, runner = borrowed(model, not create_graph, attempt)  # takes nothing for a head
        runner.check_finite()
        return found

    return finish


def _extraction(
    runner: Runner, inputs: tuple[Any, ...], extractors: Sequence[MapMaker], targets: Targets
) -> Extraction:
    needs = [extractor.needs(runner.model_layers) for extractor in extractors]
    plain = [i for i, extractor in enumerate(extractors) if _views(extractor) == _ONE_VIEW]
    run = _run(runner, inputs, [extractors[i] for i in plain], [needs[i] for i in plain], targets)
    maps = dict(zip(plain, run.maps, strict=True))
    for views in dict.fromkeys(map(_views, extractors)):
        if views != _ONE_VIEW:
            same = [i for i, extractor in enumerate(extractors) if _views(extractor) == views]
            these = [extractors[i] for i in same], [needs[i] for i in same]
            found = _augmented(runner, inputs, *these, run.targets, *views)
            maps |= dict(zip(same, found, strict=True))
    layers = [one.layers for one in needs]
    pairs = run.gather([r.images for r in run.ranks]), run.gather([r.index for r in run.ranks])
    return Extraction(*pairs, run.logits, [maps[i] for i in range(len(extractors))], layers)


_ONE_VIEW: tuple[tuple[float, ...], bool] = ((1.0,), False)


def _views(extractor: MapMaker) -> tuple[tuple[float, ...], bool]:
    return extractor.scales, extractor.flip


@dataclass(frozen=True, eq=False)
class _Run:
    """One forward and its backwards: logits (B, K), the targets of every image, and maps per extractor and layer."""

    logits: Tensor
    targets: list[list[Target]]
    ranks: list[Rank]
    maps: list[list[Tensor]]

    def gather(self, parts: Sequence[Tensor]) -> Tensor:
        return _gathered(self.ranks, parts)


def _run(
    runner: Runner,
    inputs: tuple[Any, ...],
    extractors: Sequence[MapMaker],
    needs: Sequence[Needs],
    targets: Targets,
) -> _Run:
    """One forward for all extractors; all targets at once for those that need no backward."""
    forward = run_forward(runner, inputs, reduce(or_, needs, Needs()))
    lists, device = target_lists(targets, forward.logits), forward.logits.device
    several, cache = max(map(len, lists), default=0) > 1, RerunCache()
    maps: dict[int, list[Tensor]] = {}
    closed = [several and needs_no_backward(forward, one, lists) for one in needs]
    pairs = pairs_at_once(lists, device, pairs_that_fit(forward)) if any(closed) else []
    each = pairs_at_once(lists, device, 1) if len(lists) > 1 and runner.mixes_images else []  # a backward for each pair
    todo = pairs if pairs and all(closed) else each or ranks(lists, device)
    for at_once in dict.fromkeys(closed):
        chosen = [i for i, one in enumerate(closed) if one is at_once]
        some = pairs if at_once else todo
        same = [extractors[i] for i in chosen], [needs[i] for i in chosen]
        maps |= dict(zip(chosen, _maps(forward, *same, some, inputs, cache), strict=True))
    return _Run(wide(forward.logits.detach()), lists, todo, [maps[i] for i in range(len(extractors))])


def _maps(
    forward: Forward,
    extractors: Sequence[MapMaker],
    needs: Sequence[Needs],
    todo: Sequence[Rank],
    inputs: tuple[Any, ...],
    cache: RerunCache,
) -> list[list[Tensor]]:
    """Per extractor and layer the maps of the ranks' pairs: a backward per rank and score."""
    groups: dict[ScoreFunction | None, Needs] = {}
    for one in needs:
        groups[one.score] = groups[one.score] | one if one.score in groups else one
    last = todo[-1], list(groups)[-1]
    made: list[list[list[Tensor]]] = []
    with torch.set_grad_enabled(forward.runner.create_graph):
        for rank in todo:
            captures = {
                score: capture_rank(forward, group, rank, inputs, cache, keep=(rank, score) != last)
                for score, group in groups.items()
            }
            made.append([e.extract(captures[one.score]) for e, one in zip(extractors, needs, strict=True)])
    return [[_gathered(todo, parts) for parts in zip(*per_rank, strict=True)] for per_rank in zip(*made, strict=True)]


def _gathered(todo: Sequence[Rank], parts: Sequence[Tensor]) -> Tensor:
    """(P_r, …) of every rank -> (P, …) by image, then by rank."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))[torch.cat([rank.rows for rank in todo]).argsort()]


def _augmented(
    runner: Runner,
    inputs: tuple[Any, ...],
    extractors: Sequence[MapMaker],
    needs: Sequence[Needs],
    targets: list[list[Target]],
    scales: tuple[float, ...],
    flip: bool,
) -> list[list[Tensor]]:
    """The maps of several views of the images, brought back and merged; images of one size in one run."""
    views: list[list[list[Tensor]]] = [[] for _ in extractors]
    for scale in scales:
        batch = scaled(inputs, scale)
        batch = with_mirrored(batch) if flip else batch
        run = _run(runner, batch, extractors, needs, targets * 2 if flip else targets)
        for found, layers in zip(views, run.maps, strict=True):
            back = [brought_back(layer) if flip else [layer] for layer in layers]
            found += [list(view) for view in zip(*back, strict=True)]
    return [
        [merge_layers(layer, extractor.tta_merge) for layer in zip(*found, strict=True)]
        for extractor, found in zip(extractors, views, strict=True)
    ]
