"""Rules of layer-wise relevance propagation (LRP), as rules for gradients: relevance is a value times its gradient.

Each rule stands in the place of a torch function: the same value, another derivative to what varies with the image.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import linear

Torch = Callable[..., Tensor]
Rules = dict[str, Callable[..., Tensor]]
Share = Callable[[Tensor, Tensor, Tensor, Tensor | None, Tensor], Tensor]
"""(inputs, outputs, weight, bias, gradient of the outputs) of a linear layer -> gradient of the inputs."""

ACTIVATIONS = (
    "elu", "gelu", "hardsigmoid", "hardswish", "leaky_relu", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "softplus", "tanh",
)  # fmt: skip
PRODUCTS = ("matmul", "bmm", "einsum", "mul")


class _Sloped(Function):
    """A value whose derivative to x is taken to be ``slope``, element by element."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, slope: Tensor | float) -> Tensor:
        del x
        ctx.slope = slope
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients[0] * ctx.slope, None, None


class _Shared(Function):
    """A linear layer's output, whose relevance is shared out by ``share``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None, share: Share) -> Tensor:
        ctx.save_for_backward(x, value, weight, bias)
        ctx.share = share
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return ctx.share(*ctx.saved_tensors, gradients[0]), None, None, None, None


class _Added(Function):
    """a + b of one shape, whose relevance goes to both by the size of their parts, per image (Chefer 2021, eq. 9)."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, images: int) -> Tensor:
        ctx.save_for_backward(a, b)
        ctx.rest = [axis for axis in range(a.dim()) if axis != images]
        return a + b

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        of_a, of_b = ((x * gradient).sum(ctx.rest, keepdim=True) for x in ctx.saved_tensors)
        scale = ratio(of_a + of_b, of_a.abs() + of_b.abs())
        return *(gradient * scale * part.sign() for part in (of_a, of_b)), None


def ratio(above: Tensor, below: Tensor) -> Tensor:
    """above / below, 0 where below is 0."""
    return torch.where(below == 0, torch.zeros_like(above), above / below)


def varies(value: Any) -> bool:
    """It depends on the image: weights and constants take no gradient in a pass."""
    return isinstance(value, Tensor) and value.requires_grad


def identity(function: Torch, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """All relevance of an output goes to the input at its place: the slope is f(x) / x."""
    with torch.no_grad():
        value = function(x, *args, **kwargs)
        slope = ratio(value, x)
    return _Sloped.apply(x, value, slope) if varies(x) else value


def halved(function: Torch, *args: Any, **kwargs: Any) -> Tensor:
    """Of a product of two that vary each factor gets half; a product with a constant stays as it is."""
    product = function(*args, **kwargs)
    return _Sloped.apply(product, product.detach(), 0.5) if sum(map(varies, args)) == 2 else product


def by_constant(function: Torch, x: Any, divisor: Any, *args: Any, **kwargs: Any) -> Tensor:
    """A division is one by a constant: it normalises."""
    return function(x, divisor.detach() if varies(divisor) else divisor, *args, **kwargs)


def added(images: int, function: Torch, a: Any, b: Any, *args: Any, **kwargs: Any) -> Tensor:
    """A skip connection: two tensors of one shape that both vary; ``images``: which of their axes."""
    skip = varies(a) and varies(b) and a.shape == b.shape and not (args or kwargs)
    return _Added.apply(a, b, images) if skip else function(a, b, *args, **kwargs)


def layer_norm(
    function: Torch, x: Tensor, shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5,
    *_: Any,
) -> Tensor:  # fmt: skip
    """(x - mean) times a constant: the deviation takes no relevance."""
    del function
    axes = tuple(range(-len(shape), 0))
    centred = x - x.mean(axes, keepdim=True)
    scaled = centred * (centred.square().mean(axes, keepdim=True) + eps).rsqrt().detach()
    scaled = scaled if weight is None else scaled * weight
    return scaled if bias is None else scaled + bias


def rms_norm(function: Torch, x: Tensor, shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """x times a constant."""
    del function
    axes = tuple(range(-len(shape), 0))
    small = torch.finfo(x.dtype).eps if eps is None else eps
    scaled = x * (x.square().mean(axes, keepdim=True) + small).rsqrt().detach()
    return scaled if weight is None else scaled * weight


def shared(
    share: Share, function: Torch, x: Tensor, weight: Tensor, bias: Tensor | None = None, **kwargs: Any
) -> Tensor:
    """A linear layer."""
    with torch.no_grad():
        value = function(x, weight, bias, **kwargs) if bias is not None else function(x, weight, **kwargs)
    return _Shared.apply(x, value, weight, bias, share) if varies(x) else value


def positive(x: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None, gradient: Tensor) -> Tensor:
    """Relevance goes to inputs by their positive contributions x_i w_ij, none to the bias (Chefer 2021, eq. 5)."""
    del bias
    up, down = weight.clamp(min=0), weight.clamp(max=0)
    total = linear(x.clamp(min=0), up) + linear(x.clamp(max=0), down)
    part = ratio(gradient * value, total)
    return torch.where(x > 0, part @ up, part @ down)


def favouring(gamma: float, x: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None, gradient: Tensor) -> Tensor:
    """The gamma rule: contributions of an output's own sign count 1 + gamma times."""
    more, less = weight + gamma * weight.clamp(min=0), weight + gamma * weight.clamp(max=0)
    above, below = x.clamp(min=0), x.clamp(max=0)
    b = torch.zeros_like(weight[:, 0]) if bias is None else bias
    up = linear(above, more) + linear(below, less, b + gamma * b.clamp(min=0))
    down = linear(above, less) + linear(below, more, b + gamma * b.clamp(max=0))
    relevance = gradient * value
    to_up, to_down = ratio(relevance * (value > 0), up), ratio(relevance * (value < 0), down)
    return torch.where(x > 0, to_up @ more + to_down @ less, to_up @ less + to_down @ more)


def product(share: Share, function: Torch, one: Any, other: Any) -> Tensor:
    """A product of two that vary is halved; one with a matrix of weights is a linear layer."""
    if varies(one) and isinstance(other, Tensor) and other.dim() == 2 and not varies(other):
        return shared(share, lambda x, weight: function(x, weight.T), one, other.T)
    return halved(function, one, other)


def linear_layers(share: Share) -> Rules:
    """Both ways in which networks write a linear layer."""
    return {"linear": partial(shared, share), "matmul": partial(product, share)}


def of_transformer_attribution(images: int) -> Rules:
    """The rules of Chefer et al. (CVPR 2021), by torch's name of what they stand for.

    images  which axis of the blocks' tokens the images are
    """
    passing = (*ACTIVATIONS, "softmax", "layer_norm", "rms_norm", "normalize")
    rules = {**dict.fromkeys(passing, identity), **dict.fromkeys(PRODUCTS, halved)}
    return rules | {"add": partial(added, images), "div": by_constant} | linear_layers(positive)


def of_attnlrp(gamma: float) -> Rules:
    """The rules of Achtibat et al. (2024); ``gamma`` 0 is the epsilon rule, which a plain gradient follows.

    So does the softmax's rule: x_i (R_i - s_i sum_j R_j) is the input times the gradient.
    """
    rules: Rules = dict.fromkeys((*ACTIVATIONS, "normalize"), identity)
    rules |= dict.fromkeys(PRODUCTS, halved)
    rules |= {"layer_norm": layer_norm, "rms_norm": rms_norm, "div": by_constant}
    return rules | (linear_layers(partial(favouring, gamma)) if gamma else {})
