"""Every torch function that a model calls: attention written out, others replaced by rules; gone with the block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Rules = Mapping[str, Callable[..., Any]]
"""Name of a torch function ("linear", "matmul", "layer_norm" …) -> ``rule(function, *args, **kwargs)`` in its place."""

Note = Callable[[int, Tensor], Tensor]
"""The k-th attention of a forward after its softmax, (B, heads, Q, K) or (B heads, Q, K) -> what the model uses."""

_SPELLINGS = {f"__{kind}{name}__": name for kind in ("", "i", "r") for name in ("matmul", "add", "mul")}
_SPELLINGS |= {"__truediv__": "div", "__itruediv__": "div", "true_divide": "div", "divide": "div", "multiply": "mul"}
_PRODUCTS = ("matmul", "bmm", "einsum")
_SAME_VALUES = (
    "bfloat16", "clone", "contiguous", "double", "dropout", "expand", "flatten", "float", "half", "masked_fill",
    "reshape", "to", "type", "type_as", "unflatten", "view",
)  # fmt: skip


class Functions(TorchFunctionMode):
    """While its ``with`` block runs, in this thread alone.

    An attention is the product of a softmax and values: what a library computes openly, and what it leaves to the fused
    ``scaled_dot_product_attention`` or to ``nn.MultiheadAttention``, which are written out.

    note    is given every attention;  opened  which of the fused ones are written out, by number; None: all
    rules   what is computed in the place of a function
    """

    def __init__(self, note: Note | None = None, opened: Set[int] | None = None, rules: Rules | None = None) -> None:
        super().__init__()
        self._note, self._opened, self._rules = note, opened, rules or {}
        self._count = 0
        self._probabilities: dict[int, Tensor] = {}

    def clear(self) -> None:
        """Count anew, for another forward."""
        self._count = 0
        self._probabilities.clear()

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        if function is functional.multi_head_attention_forward:
            with self:
                return _multi_head_attention(*args, **kwargs)
        if function is functional.scaled_dot_product_attention:
            return self._fused(function, args, kwargs)
        name = getattr(function, "__name__", "")
        name = _SPELLINGS.get(name, name)
        if name in _PRODUCTS:
            args = self._noted(args)
        rule = self._rules.get(name)
        result = function(*args, **kwargs) if rule is None else rule(function, *args, **kwargs)
        if name == "softmax" or (name in _SAME_VALUES and args and id(args[0]) in self._probabilities):
            self._probabilities[id(result)] = result
        return result

    def _fused(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._opened is not None and self._count not in self._opened:
            self._count += 1
            return function(*args, **kwargs)
        with self:
            return attention(*args, **kwargs)

    def _noted(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of a product, whose left operand is noted where it is an attention."""
        place = 1 if args and isinstance(args[0], str) else 0  # of einsum
        if self._note is None or len(args) <= place or id(args[place]) not in self._probabilities:
            return args
        probabilities = self._note(self._count, args[place])
        self._count += 1
        return (*args[:place], probabilities, *args[place + 1 :])


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``torch.nn.functional.scaled_dot_product_attention`` written out; a query that sees nothing gets zeros."""
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    if attn_mask is None:
        return functional.dropout(scores.softmax(-1), dropout_p) @ value
    nothing = (scores == -torch.inf).all(-1, keepdim=True)
    probabilities = scores.masked_fill(nothing, 0).softmax(-1).masked_fill(nothing, 0)
    return functional.dropout(probabilities, dropout_p) @ value


def _seen_through(function: Any) -> Callable[..., Any]:
    """Torch's own code of a function of many functions, which a mode would see as one: the mode sees each of them."""
    inside = {**function.__globals__, "has_torch_function": lambda _: False}
    same = FunctionType(function.__code__, inside, function.__name__, function.__defaults__, function.__closure__)
    same.__kwdefaults__ = function.__kwdefaults__
    return same


_multi_head_attention = _seen_through(functional.multi_head_attention_forward)
