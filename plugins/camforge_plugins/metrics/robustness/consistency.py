"""Do images with the same explanation get the same class?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import CamForgeError, Metric, MetricInput
from camforge_plugins.metrics.common.cells import counts, highest_cells, predicted_classes
from camforge_plugins.metrics.common.pairs import labelled_pairs


class Consistency(Metric):
    """Consistency, in percent, higher is better (Dasgupta et al., ICML 2022, definition 1).

    The mean over maps x of Pr(f(x') = f(x) | x' has the same explanation), over the other maps of the set. f is the
    class with the highest logit; two maps explain the same where their two highest cells of a ``grid`` x ``grid``
    pooling are the same, in whatever order. A map that shares its explanation with no other is not counted.
    """

    name = "consistency"
    family = "robustness"
    bounds = (0, 100)
    grid: Annotated[int, Field(ge=2, le=8)] = 4
    """Cells along each side that maps are pooled to."""

    def update(self, metric_input: MetricInput) -> Tensor:
        """(cells^2, C) int64: how often each two cells are the highest, for each predicted class."""
        pairs, cells = labelled_pairs(metric_input, self.name), self.grid**2
        shape = (cells**2, pairs.batch.labels.shape[1])
        if not len(pairs.maps):
            return torch.zeros(shape, dtype=torch.int64, device=pairs.maps.device)
        first, second = highest_cells(pairs.maps, self.grid, 2).sort(1).values.unbind(1)
        return counts(first * cells + second, predicted_classes(pairs, self.name), shape)

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        del classes
        same, others = total.double(), (total.double().sum(1) - 1).clamp(min=0)
        shared = total.sum(1) * (others > 0)
        if not shared.any():
            raise CamForgeError("nothing to compute 'consistency' from: no two maps have the same explanation")
        alike = (same * (same - 1).clamp(min=0)).sum(1) / others.clamp(min=1)
        return {self.name: float(100 * alike.sum() / shared.sum())}
