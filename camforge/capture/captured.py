"""What one pass captured, as extractors see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from camforge.capture.probe import Probe


@dataclass(frozen=True)
class Needs:
    """What an extractor reads: layers by module path. Needs join with ``|``."""

    activations: tuple[str, ...] = ()
    gradients: tuple[str, ...] = ()
    input_gradients: bool = False

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            tuple(dict.fromkeys(self.activations + other.activations)),
            tuple(dict.fromkeys(self.gradients + other.gradients)),
            self.input_gradients or other.input_gradients,
        )

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.activations + self.gradients))


@dataclass(frozen=True, eq=False)
class LinearHead:
    """The linear layer behind a global average pool: weight (K, C), bias (K,) or None."""

    weight: Tensor
    bias: Tensor | None


class Selected(Mapping[str, Tensor]):
    """Tensors (B, …) seen through an image index (P,): picked when asked for, once. All images in order: no copy."""

    def __init__(self, tensors: Mapping[str, Tensor], images: Tensor) -> None:
        self._tensors, self._images = tensors, images
        self._cache: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._cache:
            self._cache[name] = pick(self._tensors[name], self._images)
        return self._cache[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def pick(values: Tensor, images: Tensor) -> Tensor:
    """values[images], without a copy where that is all of them in order."""
    whole = torch.arange(values.shape[0], device=images.device)
    return values if torch.equal(images, whole) else values[images]


@dataclass(frozen=True, eq=False)
class Capture:
    """One forward and one backward, seen as P (image, target) pairs.

    probe            the model and its stages
    inputs           (P, 3, H, W), the pair's image
    images           (P,) int64, its index in the batch that was given
    targets          (P,) int64, the explained output; -1 where a callable was given
    logits           (P, K) float32
    activations      layer -> (P, C, h, w) float32; tokens and channels-last maps are brought to this shape
    gradients        layer -> (P, C, h, w) float32: d score / d activation
    input_gradients  (P, 3, H, W) float32 or None
    head             the linear head, where the last stage is followed by nothing but a mean and a linear layer
    """

    probe: Probe
    inputs: Tensor
    images: Tensor
    targets: Tensor
    logits: Tensor
    activations: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    input_gradients: Tensor | None = None
    head: LinearHead | None = None

    def resolve(self, layers: str | tuple[str, ...]) -> tuple[str, ...]:
        """Layer names as ``activations`` and ``gradients`` know them."""
        return self.probe.resolve(layers)

    def __len__(self) -> int:
        return self.targets.shape[0]


def linear_head(model: nn.Module, activation: Tensor, logits: Tensor) -> LinearHead | None:
    """The last linear layer, if logits = mean(activation) @ weight.T + bias and autograd recorded nothing else between."""
    linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
    if not linears or activation.dim() != 4 or activation.shape[1] != linears[-1].in_features:
        return None
    weight, bias = linears[-1].weight.detach().float(), linears[-1].bias
    bias = None if bias is None else bias.detach().float()
    pooled = activation.detach().float().mean((2, 3)) @ weight.T
    expected = pooled if bias is None else pooled + bias
    loose = 1e-4 if logits.dtype in (torch.float32, torch.float64) else 2e-2
    if expected.shape != logits.shape or not torch.allclose(expected, logits.float(), rtol=loose, atol=loose):
        return None
    return LinearHead(weight, bias) if _only_linear_nodes(logits, activation) else None


_LINEAR_NODES = ("Addmm", "View", "UnsafeView", "Reshape", "Mean", "AdaptiveAvgPool", "AvgPool", "T", "Clone", "Squeeze")


def _only_linear_nodes(logits: Tensor, activation: Tensor) -> bool:
    """Walk autograd's graph from the logits to the activation: equal values alone would not prove a ReLU absent."""
    end = activation.grad_fn
    todo, seen = [logits.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node is end or node in seen:
            continue
        seen.add(node)
        name = type(node).__name__
        if name == "AccumulateGrad":
            continue
        if not name.removesuffix("0").removesuffix("1").removesuffix("2").removesuffix("Backward").rstrip("23d").startswith(
            _LINEAR_NODES
        ):
            return False
        todo += [following for following, _ in node.next_functions]
    return bool(seen)
