"""The one pass: hooks in, forward, gradients per target rank, hooks out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture.captured import Capture, LinearHead, Needs, Selected, linear_head, pick
from camforge.capture.grid import as_grid
from camforge.capture.probe import Probe, stages_of, unwrap
from camforge.types import CamForgeError

Target = int | Callable[[Tensor], Tensor]
Targets = None | int | Sequence[Any] | Tensor


def captures(
    model: nn.Module,
    inputs: Tensor,
    needs: Callable[[Probe], Needs],
    targets: Targets = None,
    *,
    create_graph: bool = False,
    select: Callable[[Any], Tensor] | None = None,
) -> Iterator[Capture]:
    """Run the model once and yield one Capture per target rank (the first target of every image, then the second …).

    inputs (B, 3, H, W); targets as in ``target_lists``; ``select`` takes the logits out of a dict or tuple output.
    The model is in eval mode meanwhile and comes back exactly as it was, also after an exception.
    Nothing is recorded below the shallowest layer asked for; gradients never reach a parameter.
    """
    model = unwrap(model)
    if inputs.is_inference():
        with torch.inference_mode(False):
            inputs = inputs.clone()
    with ExitStack() as restore:
        restore.enter_context(torch.inference_mode(False))
        restore.enter_context(torch.set_grad_enabled(True))
        probe = Probe(model, stages_of(model, inputs))
        wanted = needs(probe)
        restore.enter_context(_lent(model, freeze=not create_graph))
        leaf = inputs.detach().requires_grad_() if wanted.input_gradients else inputs
        recorded = restore.enter_context(_recording(model, wanted.layers, detach=not create_graph))
        logits = _logits(model(leaf), select)
        layers = {name: _called(name, recorded) for name in wanted.layers}
        yield from _ranks(probe, wanted, leaf, logits, layers, target_lists(targets, logits), create_graph)


def target_lists(targets: Targets, logits: Tensor) -> list[list[Target]]:
    """One list of targets per image.

    None: the highest logit · int: the same for all · N ints or callables: one each · (N, T) ints: T each ·
    (N, K) bool (multi-hot): those that are on. A wrong number of targets or an index beyond the outputs is an error.
    """
    count, outputs = logits.shape
    if targets is None:
        return [[best] for best in logits.argmax(1).tolist()]
    if isinstance(targets, int) or callable(targets):
        targets = [targets] * count
    if isinstance(targets, Tensor) and targets.dtype == torch.bool:
        targets = [row.nonzero().flatten().tolist() for row in targets]
    rows = targets.tolist() if isinstance(targets, Tensor) else list(targets)
    if len(rows) != count:
        raise CamForgeError(f"{len(rows)} targets for {count} images: give one entry per image")
    lists = [list(row) if isinstance(row, list | tuple) else [row] for row in rows]
    for image, row in enumerate(lists):
        for target in row:
            if not callable(target) and not 0 <= int(target) < outputs:
                raise CamForgeError(f"target {target} of image {image}: the model has outputs 0 to {outputs - 1}")
    return lists


def _ranks(
    probe: Probe,
    wanted: Needs,
    inputs: Tensor,
    logits: Tensor,
    layers: dict[str, Tensor],
    targets: list[list[Target]],
    create_graph: bool,
) -> Iterator[Capture]:
    """One Capture per rank; gradients of all layers from one call of autograd each."""
    if logits.dim() != 2:
        raise CamForgeError(f"the model's output has shape {tuple(logits.shape)}; logits (B, K) are needed: give select=")
    if not torch.isfinite(logits).all():
        bad = (~torch.isfinite(logits).all(1)).nonzero().flatten().tolist()
        raise CamForgeError(f"NaN or infinite logits for images {bad} of the batch: no map can be made of them")
    last = probe.stages[-1]
    head = linear_head(probe.model, layers[last], logits) if last in layers else None
    grids = {name: as_grid(layers[name], inputs) for name in wanted.activations}
    if not create_graph:
        grids = {name: grid.detach() for name, grid in grids.items()}
    depth = max((len(row) for row in targets), default=0)
    for rank in range(depth):
        images = torch.tensor([i for i, row in enumerate(targets) if len(row) > rank], device=logits.device)
        chosen = [row[rank] for row in targets if len(row) > rank]
        index = torch.tensor([-1 if callable(t) else int(t) for t in chosen], device=logits.device)
        closed = head is not None and not create_graph and bool((index >= 0).all())
        todo = [name for name in wanted.gradients if not (closed and name == last)]
        grads = _gradients(
            logits, images, chosen, [layers[n] for n in todo] + [inputs] * wanted.input_gradients,
            create_graph, keep=rank + 1 < depth,
        )  # fmt: skip
        by_layer = {name: pick(as_grid(g, inputs), images) for name, g in zip(todo, grads, strict=False)}
        if closed and last in wanted.gradients and head is not None:
            by_layer[last] = _closed_form(head, layers[last], index)
        yield Capture(
            probe=probe,
            inputs=pick(inputs.detach(), images),
            images=images,
            targets=index,
            logits=pick(logits if create_graph else logits.detach(), images).float(),
            activations=Selected(grids, images),
            gradients=by_layer,
            input_gradients=pick(grads[-1].float(), images) if wanted.input_gradients else None,
            head=head,
        )


def _closed_form(head: LinearHead, activation: Tensor, targets: Tensor) -> Tensor:
    """d logit / d activation behind a mean and a linear layer: weight / (h * w) everywhere, no backward pass."""
    h, w = activation.shape[-2:]
    return (head.weight[targets] / (h * w))[:, :, None, None].expand(-1, -1, h, w)


def _gradients(
    logits: Tensor, images: Tensor, chosen: list[Target], wrt: list[Tensor], create_graph: bool, keep: bool
) -> Sequence[Tensor]:
    """d (sum of the chosen scores) / d each tensor of ``wrt``; zeros where the score does not depend on it."""
    if not wrt:
        return []
    scores = [t(logits[i]) if callable(t) else logits[i, int(t)] for i, t in zip(images.tolist(), chosen, strict=True)]
    total = torch.stack([s.reshape(()) for s in scores]).sum()
    if not total.requires_grad:
        return [torch.zeros_like(t) for t in wrt]
    return torch.autograd.grad(
        total, wrt, retain_graph=keep or create_graph, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )


def _logits(output: Any, select: Callable[[Any], Tensor] | None) -> Tensor:
    if select is not None:
        output = select(output)
    if not isinstance(output, Tensor):
        raise CamForgeError(f"the model returns a {type(output).__name__}; give select= to take its logits out")
    return output


@contextmanager
def _lent(model: nn.Module, freeze: bool) -> Iterator[None]:
    """Eval mode and, for the pass, parameters without gradients: then autograd records only what lies behind a layer."""
    modes = [(module, module.training) for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.eval()
        if freeze:
            for parameter, _ in flags:
                parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


@contextmanager
def _recording(model: nn.Module, names: Sequence[str], detach: bool) -> Iterator[dict[str, list[Tensor]]]:
    """Hooks that keep each layer's output. The model goes on with a copy, so that no in-place operation changes it."""
    calls: dict[str, list[Tensor]] = {name.partition("#")[0]: [] for name in names}

    def keep(path: str, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple | list) else output
        if not isinstance(first, Tensor):
            raise CamForgeError(f"layer {path!r} returns a {type(first).__name__}: only tensors can be captured")
        if not first.requires_grad:
            first = (first.detach() if detach else first.clone()).requires_grad_()
        calls[path].append(first)
        onward = first.clone()
        return type(output)((onward, *output[1:])) if isinstance(output, tuple | list) else onward

    handles = [
        model.get_submodule(path).register_forward_hook(lambda _m, _i, out, path=path: keep(path, out))  # type: ignore[misc]
        for path in calls
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
        calls.clear()


def _called(name: str, calls: dict[str, list[Tensor]]) -> Tensor:
    """The output of the call that ``path#k`` names; of the last call without an index."""
    path, _, index = name.partition("#")
    outputs = calls[path]
    if not outputs:
        raise CamForgeError(f"layer {path!r} was not called in this forward pass")
    if index and int(index) >= len(outputs):
        raise CamForgeError(f"layer {path!r} was called {len(outputs)} times; there is no call #{index}")
    return outputs[int(index) if index else -1]
