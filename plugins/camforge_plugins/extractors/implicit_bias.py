"""What a layer adds that is not linear in its input (Srinivas and Fleuret 2019)."""

from __future__ import annotations

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


def constant_bias(module: nn.Module, dims: int) -> Tensor:
    """The layer's bias, BatchNorm's beta - mean * gamma / std; shaped for outputs (P, …) of ``dims`` axes."""
    if isinstance(module, nn.Linear):
        return module.bias
    places = (None, ..., *(None,) * (dims - 2))
    if not isinstance(module, nn.modules.batchnorm._BatchNorm):
        return module.get_parameter("bias")[places]
    mean, variance = module.get_buffer("running_mean"), module.get_buffer("running_var")
    shift = mean / (variance + module.eps).sqrt()
    return (-shift if module.weight is None else module.bias - shift * module.weight)[places]


def implicit_bias(module: nn.Module, inputs: Tensor) -> Tensor:
    """f(x) - f'(x) x, in the shape of f(x)."""
    inputs = inputs.contiguous()  # torch 2.6 cannot push a tangent of other strides through group_norm
    value, along, *_ = torch.func.jvp(lambda x: module.forward(x.clone()), (inputs,), (inputs,))
    bias: Tensor = value - along
    return bias
