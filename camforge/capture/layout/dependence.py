"""Which calls of a model's modules work on what others returned, by autograd's graph."""

from __future__ import annotations

from typing import Any

from torch import nn

from camforge.capture.layout.intervention import Inputs, Run, first_images, same_random, watched
from camforge.capture.model.borrowing import borrowed
from camforge.capture.structures import lead_tensor


def depends(model: nn.Module, inputs: Inputs, run: Run, calls: list[str]) -> bool:
    """The last of these calls works on what all the others returned: autograd's graph leads back to them."""
    nodes = _nodes(model, inputs, run)
    seen = _behind(nodes.get(calls[-1]))
    return all(nodes.get(call) in seen for call in calls)


def leading_to_output(model: nn.Module, inputs: Inputs, run: Run) -> set[str] | None:
    """The calls from whose lead tensor a gradient can come back; None where the model's output has no gradient."""
    try:
        nodes = _nodes(model, inputs, run)
    except RuntimeError:  # what the model overwrites may stand in the way of a gradient to its images
        return None
    seen = _behind(nodes.get("#0"))
    return {call for call, node in nodes.items() if node is None or node in seen} if seen else None


def _nodes(model: nn.Module, inputs: Inputs, run: Run) -> dict[str, Any]:
    """Every call's place in autograd's graph of one image; None for what has none."""
    nodes: dict[str, Any] = {}

    def note(name: str, output: Any) -> None:
        tensor = lead_tensor(output)
        if tensor is not None:
            nodes[name] = tensor.grad_fn

    one = first_images(inputs, 1)
    given = (one[0].clone().requires_grad_().clone(), *one[1:])  # not a leaf, which a model may not change in place
    with same_random(inputs[0].device):
        borrowed(model, False, lambda: watched(model, lambda: run(given), note))
    return nodes


def _behind(node: Any) -> set[Any]:
    """The nodes of autograd's graph that a node is made of, itself among them."""
    todo, seen = [node], set[Any]()
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            todo += [following for following, _ in node.next_functions]
    return seen
