"""What a metric is given, and what it may ask of the model behind the maps."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from torch import Tensor

from camforge.types import Batch

T = TypeVar("T")


class ExplainedModel(Protocol):
    """The model behind the maps. Everything is computed on the images' device, in chunks that fit its memory.

    weighted_layers  paths of the modules that have parameters of their own, the output's first
    """

    @property
    def weighted_layers(self) -> tuple[str, ...]: ...

    def score(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) as in the batch -> logits (N, C) of all classes, without gradients."""

    def features(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> (N, D): the output of the last stage, where class maps are read, flattened."""

    def maps(self, images: Tensor, targets: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, 3, H, W) and one class (N,) int64 of each -> maps (N, H, W), made as the measured ones were.

        labels (N, C) bool: the classes that each image shows, which fusers of several views may read; None: the target
        """

    def with_random_weights(self, layers: Sequence[str], seed: int = 0) -> ExplainedModel:
        """The same with the parameters of some ``weighted_layers`` drawn anew, as when the model was made."""

    def with_shifted_input(self, shift: float) -> ExplainedModel:
        """A model of images to which ``shift`` was added: it takes the shift away first, so its logits are the same."""


@dataclass(frozen=True, eq=False)
class MetricInput:
    """What a metric is given: one batch with its truth and one fused map per (image, class) pair.

    maps     (P, H, W) float32, raw (not yet rectified or normalised)
    images   (P,) int64, index into the batch;  classes (P,) int64
    logits   (B, C) float32 of the ungrouped view, or None where no network was asked
    model    what made the maps and classifies the images; None where no network knows all classes
    without_part  images (N,) int64, index into the batch, classes (N,) int64 and a value of ``batch.parts`` -> the
                  images (N, 3, H, W) without that part of the class's objects; None where the data set cannot tell
    """

    batch: Batch
    maps: Tensor
    images: Tensor
    classes: Tensor
    logits: Tensor | None = None
    model: ExplainedModel | None = None
    without_part: Callable[[Tensor, Tensor, int], Tensor] | None = None
    _shared: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def score(self) -> Callable[[Tensor], Tensor] | None:
        """Images (N, 3, H, W), as in the batch -> logits (N, C) of the ungrouped view; None where there is none."""
        return None if self.model is None else self.model.score

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returns, kept for the other metrics of this batch that ask under the same key."""
        if key not in self._shared:
            self._shared[key] = make()
        found: T = self._shared[key]
        return found

    def pairs(self) -> Iterator[tuple[int, int, Tensor]]:
        """(image index, class index, map (H, W)) one by one, for statistics that no tensor operation expresses."""
        yield from zip(self.images.tolist(), self.classes.tolist(), self.maps, strict=True)
