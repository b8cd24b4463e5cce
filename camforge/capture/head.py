"""The linear head behind a global average pool: recognised by its numbers and by autograd's graph."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture.recording import RecordedOutput

_LINEAR = re.compile(
    r"(Addmm|Mm|View|UnsafeView|ReshapeAlias|Mean|AdaptiveAvgPool|AvgPool|T|Clone|AsStrided|Squeeze|ToCopy|Transpose)(\dD)?Backward\d"
)


@dataclass(frozen=True, eq=False)
class LinearHead:
    """The linear layer behind the global average pool of ``layer``: weight (K, C), bias (K,) or None."""

    layer: str
    weight: Tensor
    bias: Tensor | None

    def gradient(self, targets: Tensor, spatial: tuple[int, ...]) -> Tensor:
        """d logit / d activation of (P,) targets: weight / places everywhere, (P, C, *spatial), no backward pass."""
        chosen = self.weight[targets] / prod(spatial)
        return chosen[(...,) + (None,) * len(spatial)].expand(*chosen.shape, *spatial)


def linear_head(model: nn.Module, record: Mapping[str, RecordedOutput], logits: Tensor) -> LinearHead | None:
    """The last linear layer, if logits = mean(a layer) @ weight.T + bias and autograd saw nothing else between."""
    linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
    for name, recorded in record.items() if linears else ():
        if recorded.value is not None and len(recorded.shape) > 3 and recorded.shape[1] == linears[-1].in_features:
            head = _fitting(name, linears[-1], recorded.value, logits)
            if head is not None and _only_linear_nodes(logits, recorded):
                return head
    return None


def _fitting(name: str, linear: nn.Linear, activation: Tensor, logits: Tensor) -> LinearHead | None:
    wide = activation.dtype if activation.dtype.itemsize >= 4 else torch.float32
    weight, bias = linear.weight.to(wide), None if linear.bias is None else linear.bias.to(wide)
    expected = activation.to(wide).flatten(2).mean(2) @ weight.T + (0 if bias is None else bias)
    loose = 1e-4 if logits.dtype.itemsize >= 4 else 2e-2
    fits = expected.shape == logits.shape and torch.allclose(expected, logits.to(wide), rtol=loose, atol=loose)
    return LinearHead(name, weight, bias) if fits else None


def _only_linear_nodes(logits: Tensor, recorded: RecordedOutput) -> bool:
    """Walk autograd's graph from the logits to the layer: equal numbers alone would not prove a ReLU absent."""
    end = None if isinstance(recorded.edge, Tensor) else recorded.edge.node
    todo: list[Any] = [logits.grad_fn]
    seen: set[Any] = set()
    while todo:
        node = todo.pop()
        if node is None or node is end or node in seen or type(node).__name__ == "AccumulateGrad":
            continue
        if not _LINEAR.fullmatch(type(node).__name__):
            return False
        seen.add(node)
        todo += [following for following, _ in node.next_functions]
    return bool(seen)
