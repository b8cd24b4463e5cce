"""What metrics of faithfulness share: they change the photograph by the map and ask the network again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import CamForgeError, Metric, MetricInput
from camforge_plugins.metrics.common.pairs import labelled_pairs

CHUNK = 32  # images per pass of the network


class FaithfulnessMetric(Metric, ABC):
    """A metric that asks the arm's ungrouped network about changed photographs, one (image, class) pair at a time.

    Photographs are changed as the network sees them: 0 is the mean colour of the data set's normalisation.
    """

    probability: Literal["sigmoid", "softmax"] = "sigmoid"
    """How logits become the probability of a class: as the network was trained."""

    def update(self, metric_input: MetricInput) -> Tensor:
        """(C, 1 + k) float64: the pairs of each class and the sums of their k numbers."""
        if metric_input.score is None:
            raise CamForgeError(f"metric {self.name!r} asks the network of all classes, and the arm has none")
        pairs = labelled_pairs(metric_input, self.name)
        rows = [self.pair_numbers(pairs, pair) for pair in range(len(pairs.maps))]
        total = torch.zeros(pairs.batch.labels.shape[1], 1 + self.numbers, dtype=torch.float64)
        for label, row in zip(pairs.classes.tolist(), rows, strict=True):
            total[label] += torch.cat([row.new_ones(1), row]).double().cpu()
        return total

    @property
    @abstractmethod
    def numbers(self) -> int:
        """How many numbers a pair has."""

    @abstractmethod
    def pair_numbers(self, pairs: MetricInput, pair: int) -> Tensor:
        """(k,) the numbers of one pair."""

    def probabilities(self, pairs: MetricInput, images: Tensor, label: int) -> Tensor:
        """(N, 3, H, W) changed photographs -> (N,) probability of the class."""
        assert pairs.score is not None
        logits = torch.cat([pairs.score(chunk) for chunk in images.split(CHUNK)])
        return (logits.sigmoid() if self.probability == "sigmoid" else logits.softmax(1))[:, label]


def ranks(values: Tensor) -> Tensor:
    """(H, W) map -> (H, W) int64: 0 for the highest pixel; equal ones in reading order."""
    order = values.flatten().argsort(descending=True, stable=True)
    return order.argsort().view(values.shape)


Fractions = Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1)]
