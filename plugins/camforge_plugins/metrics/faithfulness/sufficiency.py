"""Do images to which the same explanation applies get the same class?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import CamForgeError, Metric, MetricInput
from camforge_plugins.metrics.common.cells import counts, highest_cells, predicted_classes
from camforge_plugins.metrics.common.pairs import labelled_pairs


class Sufficiency(Metric):
    """Sufficiency, in percent, higher is better (Dasgupta et al., ICML 2022, definition 2).

    The mean over maps x of Pr(f(x') = f(x) | the explanation of x applies to x'), over the other maps of the set. f is
    the class with the highest logit; the explanation of x is the highest cell of its map, pooled to ``grid`` x ``grid``
    cells, and it applies to x' where that cell is among the ``applies`` highest of its map. A map whose explanation
    applies to no other is not counted.
    """

    name = "sufficiency"
    family = "faithfulness"
    bounds = (0, 100)
    grid: Annotated[int, Field(ge=2, le=16)] = 4
    """Cells along each side that maps are pooled to."""
    applies: Annotated[int, Field(ge=1, le=256)] = 3
    """How many highest cells of a map an explanation may lie in to apply to it."""

    def update(self, metric_input: MetricInput) -> Tensor:
        """(2, cells, C) int64: how often each cell is the highest, and among the highest, for each predicted class."""
        pairs = labelled_pairs(metric_input, self.name)
        shape = (self.grid**2, pairs.batch.labels.shape[1])
        if not len(pairs.maps):
            return torch.zeros(2, *shape, dtype=torch.int64, device=pairs.maps.device)
        cells, classes = highest_cells(pairs.maps, self.grid, self.applies), predicted_classes(pairs, self.name)
        own = counts(cells[:, 0], classes, shape)
        return torch.stack([own, counts(cells.flatten(), classes.repeat_interleave(cells.shape[1]), shape)])

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        del classes
        own, applies = total.double().unbind(0)
        others = (applies.sum(1) - 1).clamp(min=0)  # a map's explanation applies to itself
        same = (own * (applies - 1).clamp(min=0)).sum(1) / others.clamp(min=1)
        asked = (own.sum(1) * (others > 0)).sum()
        if not asked:
            raise CamForgeError("nothing to compute 'sufficiency' from: no map's explanation applies to another")
        return {self.name: float(100 * same.sum() / asked)}
