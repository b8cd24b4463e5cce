"""What one pass captured, as extractors see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from camforge.capture.head import LinearHead
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
    logits           (P, K), float32 or float64
    activations      layer -> (P, C, h, w), float32 or float64; tokens and channels-last maps are brought to this shape
    gradients        layer -> (P, C, h, w): d score / d activation
    input_gradients  (P, 3, H, W) or None
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
