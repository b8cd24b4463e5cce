"""Metrics: monoids over batches."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

from torch import Tensor

from camforge.interfaces.base import Plugin
from camforge.interfaces.metric_input import MetricInput

Curve = Sequence[tuple[float, float]]
Requirement = Literal["masks", "boxes", "parts", "removable parts", "several classes"]
Family = Literal["faithfulness", "robustness", "localization", "complexity", "randomization", "axiomatic"]
"""The field's six families; "" for a metric of none."""


class Metric(Plugin, ABC):
    """``update`` turns a batch into statistics that add; ``compute`` turns their sum into numbers.

    class MeanMap(Metric):
        \"""The mean value of the maps.\"""
        name = "mean_map"

        def update(self, metric_input):
            return torch.stack([metric_input.maps.mean((1, 2)).sum(), torch.tensor(float(len(metric_input.maps)))])

        def compute(self, total, classes):
            return {"mean_map": float(total[0] / total[1])}
    """

    kind: ClassVar[str] = "metric"
    lower_is_better: ClassVar[frozenset[str]] = frozenset()
    """Which of the names that ``compute`` returns are better when lower."""
    undirected: ClassVar[frozenset[str]] = frozenset()
    """Which of them are neither better nor worse: no best, no rank, no comparison with controls."""
    family: ClassVar[Family | Literal[""]] = ""
    """What the metric asks of a map."""
    bounds: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    """The least and the greatest number that ``compute`` can return, chosen thresholds aside."""

    @property
    def thresholds(self) -> Mapping[str, str]:
        """{a chosen threshold that ``compute`` names: the number that it belongs to}: no score, without a rank."""
        return {}

    @property
    def requires(self) -> frozenset[Requirement]:
        """What the data must have: where it lacks it, the metric gets no column, and the others are computed."""
        return frozenset()

    @property
    def needs_calibration(self) -> bool:
        """Whether the metric sees the training images' maps first, to choose something by them (see ``calibrate``)."""
        return False

    @abstractmethod
    def update(self, metric_input: MetricInput) -> Tensor:
        """The statistics of one batch: a float64 or int64 tensor of a shape that does not depend on the batch."""

    @abstractmethod
    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        """The sum of all statistics -> named numbers; the first is the headline, ``name/class`` is one class's."""

    def calibrate(self, total: Tensor) -> Self:
        """The metric with what the training images' statistics choose, for the validation images."""
        del total
        return self

    def curves(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, Curve]:
        """{title: points (x, y)} curves for the page, such as the mIoU over the threshold."""
        del total, classes
        return {}
