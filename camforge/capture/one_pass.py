"""The one pass: hooks in, forward, hooks out, gradients per target rank, maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from camforge.capture.captured import Capture, Needs, Selected, pick
from camforge.capture.grid import as_grid
from camforge.capture.head import LinearHead, linear_head
from camforge.capture.lending import lent
from camforge.capture.probe import Probe, unwrap
from camforge.capture.recording import Taken, gradients_of, recording
from camforge.capture.targets import Rank, Targets, ranks, target_lists
from camforge.types import CamForgeError

Select = Callable[[Any], Tensor]


class MapMaker(Protocol):
    """What the pass asks of an extractor."""

    def needs(self, probe: Probe) -> Needs: ...

    def extract(self, capture: Capture) -> list[Tensor]: ...


@dataclass(frozen=True, eq=False)
class Extraction:
    """Maps of P (image, target) pairs, ordered by image, then as the image's targets were given.

    images (P,) int64 · targets (P,) int64, -1 where a callable was given · logits (B, K) of the whole batch
    maps    per extractor, per layer: (P, h, w), raw, at the layer's own size
    """

    images: Tensor
    targets: Tensor
    logits: Tensor
    maps: list[list[Tensor]]


@dataclass(frozen=True, eq=False)
class Forward:
    """What the forward left: the leaf it started from, logits (B, K), the recorded calls and the head behind them."""

    probe: Probe
    inputs: Tensor
    logits: Tensor
    taken: dict[str, Taken]
    head: LinearHead | None
    create_graph: bool


def extract_maps(
    model: nn.Module,
    images: Tensor | tuple[Any, ...],
    extractors: Sequence[MapMaker],
    targets: Targets = None,
    *,
    select: Select | None = None,
    create_graph: bool = False,
) -> Extraction:
    """Run the model once and let every extractor make its maps from that run.

    images (B, 3, H, W), or a tuple whose first entry they are, for a model of several inputs; targets as in
    ``target_lists``; ``select`` takes the logits out of a dict or tuple output; ``create_graph`` gives maps to train
    through. The model comes back exactly as it was, also after an exception, whatever grad mode the caller is in.
    """
    model = unwrap(model)
    inputs = images if isinstance(images, tuple) else (images,)
    with lent(model, freeze=not create_graph):
        probe = Probe(model, inputs)
        needs = Needs()
        for extractor in extractors:
            needs |= extractor.needs(probe)
        forward = run_forward(probe, inputs, needs, select, create_graph)
        lists = target_lists(targets, forward.logits)
        todo = ranks(lists, forward.logits.device)
        with torch.set_grad_enabled(create_graph):
            made = []
            for rank in todo:
                capture = _capture(forward, needs, rank, keep=rank is not todo[-1])
                made.append([extractor.extract(capture) for extractor in extractors])
    return _ordered(forward.logits, todo, made, len(extractors))


def run_forward(
    probe: Probe, inputs: tuple[Any, ...], needs: Needs, select: Select | None, create_graph: bool
) -> Forward:
    """One forward of the lent model with the needed layers recorded."""
    first = inputs[0].clone() if inputs[0].is_inference() else inputs[0]
    leaf = first.detach().requires_grad_() if needs.input_gradients else first
    with recording(probe.model, needs.activations, needs.gradients) as record:
        logits = _logits(probe.model(leaf, *inputs[1:]), select)
    taken = {name: record[name] for name in needs.layers}
    return Forward(probe, leaf, logits, taken, linear_head(probe.model, taken, logits), create_graph)


def _capture(forward: Forward, needs: Needs, rank: Rank, keep: bool) -> Capture:
    """The pairs of one rank: gradients of all layers from one call of autograd, none where the head gives them."""
    inputs, images, head = forward.inputs, rank.images, forward.head
    closed: dict[str, Tensor] = {}
    if head is not None and head.layer in needs.gradients and not forward.create_graph and rank.plain:
        closed[head.layer] = head.gradient(rank.index, forward.taken[head.layer].shape[2:])
    todo = {name: forward.taken[name] for name in needs.gradients if name not in closed}
    extra = [inputs] * needs.input_gradients
    with torch.enable_grad():
        score = rank.scores(pick(forward.logits, images)).sum()
        found = gradients_of(score, todo, extra, create=forward.create_graph, keep=keep)
    values = {name: forward.taken[name].value for name in needs.activations}
    grids = {name: as_grid(value, inputs) for name, value in values.items() if value is not None}
    return Capture(
        probe=forward.probe,
        inputs=pick(inputs.detach(), images),
        images=images,
        targets=rank.index,
        logits=pick(_wide(_out(forward.logits, forward)), images),
        activations=Selected({name: _out(grid, forward) for name, grid in grids.items()}, images),
        gradients=closed | {n: pick(as_grid(g, inputs), images) for n, g in zip(todo, found, strict=False)},
        input_gradients=pick(_wide(found[-1]), images) if needs.input_gradients else None,
        head=head,
    )


def _ordered(logits: Tensor, todo: Sequence[Rank], made: list[list[list[Tensor]]], count: int) -> Extraction:
    """Per rank, extractor and layer -> per extractor and layer, the pairs in their defined order."""
    order = torch.cat([rank.rows for rank in todo]).argsort()

    def gather(parts: list[Tensor]) -> Tensor:
        return parts[0] if len(parts) == 1 else torch.cat(parts)[order]

    maps = [[gather(list(layer)) for layer in zip(*(rank[e] for rank in made), strict=True)] for e in range(count)]
    return Extraction(
        gather([rank.images for rank in todo]), gather([rank.index for rank in todo]), _wide(logits.detach()), maps
    )


def _logits(output: Any, select: Select | None) -> Tensor:
    """The logits (B, K) in a model's output. Raises CamForgeError where they are not there or not finite."""
    if select is not None:
        output = select(output)
    if not isinstance(output, Tensor):
        raise CamForgeError(f"the model returns a {type(output).__name__}; give select= to take its logits out")
    if output.dim() != 2:
        raise CamForgeError(f"the model returns shape {tuple(output.shape)}, not logits (B, K): give select=")
    finite = torch.isfinite(output).all(1)
    if not finite.all():
        bad = (~finite).nonzero().flatten().tolist()
        raise CamForgeError(f"NaN or infinite logits for images {bad} of the batch: no map can be made of them")
    return output


def _out(values: Tensor, forward: Forward) -> Tensor:
    return values if forward.create_graph else values.detach()


def _wide(values: Tensor) -> Tensor:
    return values if values.dtype.itemsize >= 4 else values.float()
