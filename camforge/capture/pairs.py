"""From one forward to what extractors see of one target rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from camforge.capture.attention.recorded import Attention
from camforge.capture.captured import Capture, Needs, Selected
from camforge.capture.forward import Forward, Runner, gradients, run_forward
from camforge.capture.recording import RecordedOutput
from camforge.capture.rerun import Rerun, RerunCache, chunk_bytes
from camforge.capture.targets import Rank, Target
from camforge.maps import wide
from camforge.types import CamForgeError


def capture_rank(
    forward: Forward, needs: Needs, rank: Rank, inputs: tuple[Any, ...], cache: RerunCache, keep: bool
) -> Capture:
    """The pairs of one rank. ``keep``: autograd's graph is still needed for another rank or score."""
    runner = forward.runner
    with torch.enable_grad():
        derived = _derive(forward, needs, rank, keep)
    return Capture(
        model_layers=runner.model_layers,
        inputs=rank.pick(forward.inputs.detach()),
        rank=rank,
        logits=rank.pick(wide(forward.logits if runner.create_graph else forward.logits.detach())),
        activations=Selected(forward.activations, rank),
        gradients=derived.gradients,
        curvatures=derived.curvatures,
        raw_inputs=Selected(forward.raw_inputs, rank),
        raw_gradients=derived.raw_gradients,
        input_gradients=derived.input_gradients,
        attention=derived.attention,
        head=forward.head,
        grids=forward.grids,
        rerun=Rerun(runner, inputs, rank.images, partial(_again, runner, needs, rank), cache),
    )


def needs_no_backward(forward: Forward, needs: Needs, targets: Sequence[Sequence[Target]]) -> bool:
    """The capture needs no backward and several targets of an image may share it."""
    derived = needs.curvatures or needs.raw_gradients or needs.input_gradients or needs.score or needs.reads_attention
    if derived or forward.runner.create_graph or not needs.many_targets:
        return False
    behind_head = forward.head is not None and set(needs.gradients) <= {forward.head.layer}
    return (behind_head or not needs.gradients) and not any(callable(target) for row in targets for target in row)


def pairs_that_fit(forward: Forward) -> int:
    """How many pairs may share a capture: their activations take a share of what a chunk may."""
    budget = chunk_bytes(forward.inputs.device)
    each = max((x[0].numel() * x.element_size() for x in forward.activations.values()), default=1)
    return max(len(forward.logits), budget // (4 * each))


@dataclass(frozen=True, eq=False)
class _Derived:
    gradients: dict[str, Tensor]
    curvatures: dict[str, Tensor]
    raw_gradients: dict[str, Tensor]
    input_gradients: Tensor | None
    attention: Attention | None


def _derive(forward: Forward, needs: Needs, rank: Rank, keep: bool) -> _Derived:
    """Derivatives of the pairs' scores: one call of autograd for all layers, none where the head gives them."""
    head, record, create_graph = forward.head, forward.record, forward.runner.create_graph
    closed: dict[str, Tensor] = {}
    if head is not None and rank.plain and not (create_graph or needs.curvatures or needs.score):
        shape = record.output(head.layer).shape
        closed = {name: head.gradient(rank.index, tuple(shape[2:])) for name in needs.gradients if name == head.layer}
    raw = [name for path in needs.raw_gradients for name in record.names(path)]
    names = dict.fromkeys([*needs.gradients, *needs.curvatures, *raw])
    wrt = {name: record.output(name) for name in names if name not in closed}
    of_attention = _of_attention(forward, needs)
    wrt |= of_attention
    leaf = [forward.inputs] * needs.input_gradients
    found, of_leaf = dict[str, Tensor](), list[Tensor]()
    if wrt or leaf:
        score = _scores(forward, needs, rank).sum()
        create = create_graph or bool(needs.curvatures)
        found, of_leaf = gradients(forward.runner, score, wrt, leaf, create, keep or bool(of_attention))

    def grid(values: Tensor, name: str) -> Tensor:
        return rank.pick(forward.grids(values if create_graph else values.detach(), name))

    return _Derived(
        closed | {name: grid(found[name], name) for name in needs.gradients if name not in closed},
        {name: grid(_curvature(forward, name, found[name]), name) for name in needs.curvatures},
        {name: rank.pick(wide(found[name])) for name in raw},
        rank.pick(wide(of_leaf[0])) if of_leaf else None,
        _seen_attention(forward, needs, rank, {name: found[name] for name in of_attention}),
    )


def _of_attention(forward: Forward, needs: Needs) -> dict[str, RecordedOutput]:
    """What of the attention derivatives are taken to; autograd's graph is kept for what extractors pull back."""
    if forward.attention is None or not needs.reads_attention:
        return {}
    return forward.attention.differentiated(needs.attention_gradients, needs.token_gradients)


def _seen_attention(forward: Forward, needs: Needs, rank: Rank, found: Mapping[str, Tensor]) -> Attention | None:
    if forward.attention is None or not needs.reads_attention:
        return None
    return forward.attention.seen(rank, found, needs.attention_gradients)


def _scores(forward: Forward, needs: Needs, rank: Rank) -> Tensor:
    logits = rank.pick(forward.logits)
    if needs.score is None:
        return rank.scores(logits)
    if not rank.plain:
        raise CamForgeError("an extractor with a score of its own explains outputs; a function of the logits was given")
    return needs.score(logits, rank.index)


def _curvature(forward: Forward, name: str, gradient: Tensor) -> Tensor:
    """(d2 score / dA2) A: the gradient's own derivative in the direction of the activation."""
    recorded = forward.record.output(name)
    assert recorded.value is not None  # curvatures are recorded with their values
    if not gradient.requires_grad:
        return torch.zeros_like(gradient)
    edges: list[Any] = [recorded.edge]
    along = recorded.value.detach()
    create = forward.runner.create_graph
    found = torch.autograd.grad(gradient, edges, along, retain_graph=True, create_graph=create, allow_unused=True)[0]
    return torch.zeros_like(gradient) if found is None else found


def _again(
    runner: Runner, own: Needs, rank: Rank, inputs: tuple[Any, ...], other: Needs | None, mode: TorchFunctionMode | None
) -> Capture:
    """The same pairs on other images, one image per pair, for the same needs or others."""
    needs = own if other is None else other
    same = replace(rank, images=torch.arange(len(rank.chosen), device=rank.images.device), whole=True)
    return capture_rank(run_forward(runner, inputs, needs, mode), needs, same, inputs, RerunCache(), keep=False)
