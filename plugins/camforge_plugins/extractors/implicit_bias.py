"""What a layer adds that is not linear in its input (Srinivas and Fleuret 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

_AFFINE = (nn.modules.conv._ConvNd, nn.Linear)
_CURVED = (
    nn.GroupNorm, nn.LayerNorm, nn.modules.instancenorm._InstanceNorm,
    nn.ReLU6, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.SiLU, nn.Mish, nn.GELU, nn.ELU, nn.SELU, nn.CELU,
    nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign,
)  # fmt: skip


def has_curve(module: nn.Module) -> bool:
    """Its implicit bias depends on what it gets."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return module.running_mean is None
    return isinstance(module, _CURVED)


def has_bias(module: nn.Module) -> bool:
    """It adds something, constant or not."""
    if isinstance(module, _AFFINE):
        return module.bias is not None
    return isinstance(module, nn.modules.batchnorm._BatchNorm) or has_curve(module)


def constant_biases(modules: Sequence[nn.Module]) -> list[Tensor]:
    """Every layer's bias (C,), BatchNorm's beta - mean * gamma / std: all of them in few operations of the device."""
    norms = [module for module in modules if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    shifts = dict(zip(map(id, norms), _shifts(norms), strict=True))
    return [-shifts[id(m)] if id(m) in shifts else m.get_parameter("bias") for m in modules]


def _shifts(norms: Sequence[nn.modules.batchnorm._BatchNorm]) -> Sequence[Tensor]:
    """mean * gamma / std - beta of each; those of one kind together."""
    found: dict[int, Tensor] = {}
    kinds: dict[tuple[Any, ...], list[int]] = {}
    for place, norm in enumerate(norms):
        mean = norm.get_buffer("running_mean")
        kinds.setdefault((norm.eps, norm.affine, mean.device, mean.dtype), []).append(place)
    for (eps, affine, *_), places in kinds.items():
        same = [norms[place] for place in places]
        means = [norm.get_buffer("running_mean") for norm in same]
        shift = torch.cat(means) / (torch.cat([norm.get_buffer("running_var") for norm in same]) + eps).sqrt()
        if affine:
            shift = shift * torch.cat([norm.weight for norm in same]) - torch.cat([norm.bias for norm in same])
        found |= zip(places, shift.split([len(mean) for mean in means]), strict=True)
    return [found[place] for place in range(len(norms))]


def implicit_bias(module: nn.Module, inputs: Tensor) -> Tensor:
    """f(x) - f'(x) x, in the shape of f(x)."""
    inputs = inputs.contiguous()  # torch 2.6 cannot push a tangent of other strides through group_norm
    value, along, *_ = torch.func.jvp(lambda x: module.forward(x.clone()), (inputs,), (inputs,))
    bias: Tensor = value - along
    return bias
