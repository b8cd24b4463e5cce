"""Guided backpropagation: while a forward runs, every ReLU is made to pass back positive gradients alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_IN_PLACE = {torch.relu_, Tensor.relu_}
_RELU = {functional.relu, torch.relu, Tensor.relu, *_IN_PLACE}
_RELU6 = {functional.relu6, functional.hardtanh}  # nn.ReLU6 calls hardtanh from 0 to 6


class GuidedReLU(TorchFunctionMode):
    """Inside the block a ReLU or ReLU6 keeps its values; its gradient is ReLU(g) where the input was positive, else 0.

    Springenberg et al. 2015, sec. 3.4. Modules and functions are met alike; the model itself is not touched.

    count  how many were met
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        call = _bound(func, args, kwargs or {})
        if call is None:
            return func(*args, **(kwargs or {}))
        self.count += 1
        values, most, in_place = call
        if not values.requires_grad:
            return func(*args, **(kwargs or {}))
        rectified = torch.relu(values)  # whose backward looks at its result: the input may be overwritten
        guided = _PositiveGradient.apply(rectified if most is None else functional.hardtanh(rectified, 0.0, most))
        return values.copy_(guided) if in_place else guided


def _bound(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Tensor, float | None, bool] | None:
    """What a call rectifies, up to which value, and whether in place; None for any other call."""
    if func not in _RELU and func not in _RELU6:
        return None
    names = ("input", "min_val", "max_val", "inplace") if func is functional.hardtanh else ("input", "inplace")
    given: dict[str, Any] = dict(zip(names, args, strict=False)) | kwargs
    if func is functional.hardtanh and given.get("min_val", -1.0) != 0:
        return None
    return (
        given["input"],
        None if func in _RELU else given.get("max_val", 6.0),
        func in _IN_PLACE or given.get("inplace", False),
    )


class _PositiveGradient(torch.autograd.Function):
    """A copy, through which positive gradients alone flow back."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        del ctx
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return gradients[0].clamp(min=0)
