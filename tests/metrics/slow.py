"""One pair at a time, in float64, with loops: what metrics are held against."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from camforge.api import Metric, MetricInput
from camforge.testing import example_metric_input

NAMES = ("cat", "dog", "horse")


@dataclass(frozen=True)
class Pair:
    """One (image, class) pair. image (3, H, W) and cam (H, W) float64; ``seed``: that of its draws."""

    seen: MetricInput
    image: Tensor
    cam: Tensor
    label: int
    place: int
    index: int

    def logits(self, image: Tensor) -> np.ndarray:
        return self.seen.model.score(image[None])[0].double().numpy()

    def score(self, image: Tensor, kind: str = "logit") -> float:
        logits = self.logits(image)
        if kind == "sigmoid":
            return float(1 / (1 + np.exp(-logits[self.label])))
        if kind == "softmax":
            return float(np.exp(logits[self.label]) / np.exp(logits).sum())
        return float(logits[self.label])

    def map_of(self, image: Tensor, label: int | None = None, model: object = None) -> np.ndarray:
        target = torch.tensor([self.label if label is None else label])
        return (model or self.seen.model).maps(image[None], target)[0].double().numpy()

    def falling(self, values: Tensor | None = None) -> list[tuple[int, int]]:
        """Pixels from the highest to the lowest."""
        values = self.cam if values is None else values
        places = [(y, x) for y in range(values.shape[0]) for x in range(values.shape[1])]
        return sorted(places, key=lambda place: -float(values[place]))

    def patches(self, side: int) -> list[list[tuple[int, int]]]:
        """The pixels of each square, row by row."""
        height, width = self.cam.shape
        return [
            [(y, x) for y in range(top, min(top + side, height)) for x in range(left, min(left + side, width))]
            for top in range(0, height, side) for left in range(0, width, side)
        ]  # fmt: skip

    def total(self, places: list[tuple[int, int]]) -> float:
        return sum(float(self.cam[place]) for place in places)

    def without(self, places: list[tuple[int, int]], image: Tensor | None = None) -> Tensor:
        """The photograph with some pixels at the mean colour."""
        out = (self.image if image is None else image).clone()
        for y, x in places:
            out[:, y, x] = 0
        return out


def seen_pairs(seen: MetricInput | None = None) -> Iterator[Pair]:
    seen = seen or example_metric_input()
    for index, (place, label, cam) in enumerate(seen.pairs()):
        yield Pair(seen, seen.batch.images[place].double(), cam.double(), label, place, index)


def class_means(values: list[tuple[int, float]]) -> float:
    """The mean over classes of the mean over a class's pairs; NaN is no value."""
    by_class: dict[int, list[float]] = {}
    for label, value in values:
        if not np.isnan(value):
            by_class.setdefault(label, []).append(value)
    return sum(sum(some) / len(some) for some in by_class.values()) / len(by_class)


def expected(function: Callable[[Pair], float], seen: MetricInput | None = None) -> float:
    return class_means([(pair.label, function(pair)) for pair in seen_pairs(seen)])


def found(metric: Metric, seen: MetricInput | None = None, name: str = "") -> float:
    return metric.compute(metric.update(seen or example_metric_input()), NAMES)[name or metric.name]


def pearson(a: list[float], b: list[float]) -> float:
    x, y = np.asarray(a, float), np.asarray(b, float)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(((x - x.mean()) * (y - y.mean())).mean() / (x.std() * y.std()))


def trapezoids(curve: list[float]) -> float:
    return sum((a + b) / 2 for a, b in pairwise(curve))
