"""Metrics of some numbers per (image, class) pair, and those among them that ask the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import CamForgeError, ExplainedModel, Metric, MetricInput, probabilities
from camforge_plugins.metrics.common.pairs import class_mean, labelled_pairs

PIXELS = 64 * 224**2
"""Of changed images that are made at once."""
Score = Literal["logit", "sigmoid", "softmax"]
Fractions = Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Share = Annotated[float, Field(gt=0, lt=1)]
Change = Callable[[Tensor, Tensor], Tensor]
"""Pairs (N,) and steps (N,) int64 -> the pairs' images (N, 3, H, W) as the steps change them."""


class PairMetric(Metric, ABC):
    """Numbers of each pair: the mean over a class's pairs, then over the classes that occur."""

    numbers: ClassVar[tuple[str, ...]] = ()
    """What the numbers are called; none: the metric's own name."""

    @abstractmethod
    def pair_values(self, pairs: MetricInput) -> Tensor:
        """P > 0 pairs -> (P, k) or, of one number, (P,); NaN where a number is not defined, which is not counted."""

    def update(self, metric_input: MetricInput) -> Tensor:
        """(C, k, 2) float64: of each class and number the sum over its pairs, and how many had one."""
        pairs = labelled_pairs(metric_input, self.name)
        shape = (pairs.batch.labels.shape[1], len(self._names), 2)
        total = torch.zeros(shape, dtype=torch.float64, device=pairs.maps.device)
        if not len(pairs.maps):
            return total
        values = self.pair_values(pairs).double().view(len(pairs.maps), -1)
        defined = ~values.isnan()
        return total.index_add_(0, pairs.classes, torch.stack([values.where(defined, 0), defined.double()], 2))

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        found: dict[str, float] = {}
        if not total[..., 1].any():
            raise CamForgeError(f"nothing to compute {self.name!r} from: its number is not defined for any map")
        for place, name in enumerate(self._names):
            sums, count = total[:, place].unbind(1)
            found |= class_mean(name, sums / count.clamp(min=1), count > 0, classes)
        return found

    @property
    def _names(self) -> tuple[str, ...]:
        return self.numbers or (self.name,)


class ModelMetric(PairMetric, ABC):
    """A pair metric that asks the arm's ungrouped network about changed photographs.

    Photographs are changed as the network sees them: 0 is the mean colour of the data set's normalisation.
    """

    renamed: ClassVar[Mapping[str, str]] = {"probability": "score"}
    score: Score = "sigmoid"
    """What of a class is compared: its logit, or the probability that this function makes of it; softmax of one output
    is its sigmoid."""

    def model(self, pairs: MetricInput) -> ExplainedModel:
        """Raises CamForgeError where there is none."""
        if pairs.model is None:
            raise CamForgeError(f"metric {self.name!r} asks the network of all classes, and the arm has none")
        return pairs.model

    def scores(self, pairs: MetricInput, images: Tensor, classes: Tensor) -> Tensor:
        """Images (N, 3, H, W) and a class (N,) of each -> (N,) float64."""
        logits = self._finite(self.model(pairs).score(images)).double()
        if self.score == "softmax":
            logits = probabilities(logits)
        own = logits.gather(1, classes[:, None])[:, 0]
        return own.sigmoid() if self.score == "sigmoid" else own

    def unchanged(self, pairs: MetricInput) -> Tensor:
        """(P,) float64: the pairs' scores, of the photographs as they are."""
        images = pairs.batch.images
        return pairs.shared(
            ("unchanged", self.score), lambda: self.scores(pairs, images[pairs.images], pairs.classes)
        )  # fmt: skip

    def changed(self, pairs: MetricInput, steps: int, change: Change) -> Tensor:
        """(P, steps) float64: the pairs' scores in each of their changed photographs, made and asked in chunks."""
        count = len(pairs.maps) * steps
        size = max(1, PIXELS // pairs.maps[0].numel())
        parts = []
        for place in torch.arange(count, device=pairs.maps.device).split(size):
            pair, step = place.div(steps, rounding_mode="floor"), place % steps
            parts.append(self.scores(pairs, change(pair, step), pairs.classes[pair]))
        return torch.cat(parts).view(len(pairs.maps), steps)

    def maps(
        self, pairs: MetricInput, images: Tensor, classes: Tensor | None = None, model: ExplainedModel | None = None
    ) -> Tensor:
        """Other images (P, 3, H, W) of the pairs -> their maps (P, H, W), of the pairs' classes or of others.

        model  that makes them; None: the pairs' own
        """
        labels = pairs.batch.labels.to(images.device)[pairs.images]
        asked = self.model(pairs) if model is None else model
        return self._finite(asked.maps(images, pairs.classes if classes is None else classes, labels))

    def _finite(self, values: Tensor) -> Tensor:
        if not values.isfinite().all():
            raise CamForgeError(f"metric {self.name!r}: the network gives NaN or infinity for changed images")
        return values


def photographs(pairs: MetricInput, pair: Tensor) -> Tensor:
    """(N, 3, H, W): the photographs of some pairs."""
    return pairs.batch.images[pairs.images[pair]]


def ranks(maps: Tensor) -> Tensor:
    """(P, H, W) maps -> (P, H, W) int64: 0 for a map's highest pixel; equal ones in reading order."""
    return maps.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(1).view(maps.shape)


def norms(values: Tensor) -> Tensor:
    """(P, …) -> (P,) float64, Euclidean."""
    found: Tensor = torch.linalg.vector_norm(values.double().flatten(1), dim=1)
    return found
