"""The linear head behind a global average pool: recognised by autograd's graph and the numbers in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from camforge.capture.recording import RecordedOutput
from camforge.maps import wide

if TYPE_CHECKING:
    from camforge.capture.forward import Runner

_LINEAR = re.compile(
    r"(Addmm|Mm|View|UnsafeView|ReshapeAlias|Mean|AdaptiveAvgPool|AvgPool|T|Clone|AsStrided|Squeeze|ToCopy|Transpose)(\dD)?Backward\d"
)
_SAME_ORDER = re.compile(r"(View|UnsafeView|ReshapeAlias|Clone|Squeeze|ToCopy)Backward\d")


@dataclass(frozen=True, eq=False)
class LinearHead:
    """The linear layer behind the global average pool of ``layer``: weight (K, C), bias (K,) or None."""

    layer: str
    weight: Tensor
    bias: Tensor | None

    def gradient(self, targets: Tensor, spatial: tuple[int, ...]) -> Tensor:
        """d logit / d activation of (P,) targets: weight / places everywhere, (P, C, *spatial), no backward pass."""
        chosen = self.weight.index_select(0, targets) / prod(spatial)
        return chosen.view(*chosen.shape, *(1 for _ in spatial)).expand(*chosen.shape, *spatial)


def linear_head(runner: Runner, record: Mapping[str, RecordedOutput], logits: Tensor) -> LinearHead | None:
    """The linear layer, if the logits are a layer's mean @ weight.T + bias, and nothing else.

    Where autograd's graph alone does not prove that, the pass goes on as if it were so: what remains to be seen is a
    scalar bool in ``runner.doubts``.
    """
    linears = runner.structure.of_kind(nn.Linear) if runner.use_head else []
    for name, recorded in record.items() if linears else ():
        if recorded.value is not None and len(recorded.shape) > 3 and recorded.shape[0] == logits.shape[0]:
            used = _weight_behind_mean(logits, recorded)
            if used is not None:
                return _of_weight(name, used, linears, runner.doubts)
            fits = (linears[-1].out_features, linears[-1].in_features) == (logits.shape[1], recorded.shape[1])
            if fits and _only_linear_nodes(logits, recorded):
                runner.doubts.append(_gives(_head(name, linears[-1]), recorded.value, logits))
                return _head(name, linears[-1])
    return None


def _of_weight(layer: str, used: Tensor, linears: list[nn.Linear], doubts: list[Tensor]) -> LinearHead | None:
    """The head whose weight was used, or what autocast made of it."""
    for linear in linears:
        if linear.weight.data_ptr() == used.data_ptr() and linear.weight.stride() == used.stride():
            return _head(layer, linear)
    last = linears[-1]
    if last.weight.shape != used.shape:
        return None
    doubts.append((used == last.weight.to(used.dtype)).all())
    return _head(layer, last)


def _head(layer: str, linear: nn.Linear) -> LinearHead:
    return LinearHead(layer, wide(linear.weight), None if linear.bias is None else wide(linear.bias))


def _weight_behind_mean(logits: Tensor, recorded: RecordedOutput) -> Tensor | None:
    """What the layer's mean over all places was multiplied with, (K, C), if the graph holds that and no more."""
    product: Any = logits.grad_fn
    kind = type(product).__name__
    if kind == "AddmmBackward0":
        if (product._saved_alpha, product._saved_beta) != (1, 1):
            return None
    elif kind != "MmBackward0":
        return None
    mean = _past_views(product.next_functions[1 if kind == "AddmmBackward0" else 0][0], recorded.shape)
    if type(mean).__name__ != "MeanBackward1" or product._saved_mat2 is None:
        return None
    shape = tuple(mean._saved_self_sym_sizes)
    axes = sorted(axis % 2**64 - 2**64 * (axis >= 2**63) for axis in mean._saved_dim)  # -1 comes as 2**64 - 1
    every = sorted(axis % len(shape) for axis in axes) == list(range(2, len(shape)))
    whole = shape == tuple(recorded.shape) and every and _is_output(mean.next_functions[0], recorded)
    return product._saved_mat2.T if whole else None


def _past_views(node: Any, shape: tuple[int, ...]) -> Any:
    """Past what gives pooled values (B, C, 1, 1) another shape or type, but leaves them in order."""
    while node is not None:
        if type(node).__name__ == "AsStridedBackward1":
            if tuple(node._saved_size[:2]) != tuple(shape[:2]) or tuple(node._saved_stride[:2]) != (shape[1], 1):
                return None
        elif not _SAME_ORDER.fullmatch(type(node).__name__):
            return node
        node = node.next_functions[0][0]
    return None


def _is_output(step: tuple[Any, int], recorded: RecordedOutput) -> bool:
    """Whether a step of the graph leads to the recorded output itself, or to a clone or cast of it."""
    end = None if isinstance(recorded.edge, Tensor) else (recorded.edge.node, recorded.edge.output_nr)
    while step != end and type(step[0]).__name__ in ("CloneBackward0", "ToCopyBackward0"):
        step = step[0].next_functions[0]
    return step == end if end is not None else getattr(step[0], "variable", None) is recorded.edge


def _gives(head: LinearHead, activation: Tensor, logits: Tensor) -> Tensor:
    """A scalar bool: whether the head gives these logits."""
    dtype = head.weight.dtype
    expected = activation.to(dtype).flatten(2).mean(2) @ head.weight.T + (0 if head.bias is None else head.bias)
    loose = 1e-4 if logits.dtype.itemsize >= 4 else 2e-2
    return torch.isclose(expected, logits.to(dtype), rtol=loose, atol=loose).all()


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
