"""Does the map foretell what a disturbance costs?"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.draws import of_draw, pair_seeds, uniform
from camforge_plugins.metrics.common.pair_metric import Count, ModelMetric, Score, Share, photographs


class Infidelity(ModelMetric):
    """Infidelity, from 0, lower is better (Yeh et al., NeurIPS 2019, definition 2.1).

    E over squares I of (sum of I * map - (f(x) - f(x - I)))^2. x - I is x with one square at the mean colour, its side
    and place drawn; I * map is summed over the colours too. With ``scaled`` the map is first multiplied by the number
    that makes this least, sum(a * b) / sum(a * a) (sec. 2.3): maps have no unit that the score has.
    """

    name = "infidelity"
    family = "faithfulness"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"infidelity"})
    score: Score = "logit"
    squares: Count = 50
    """Squares drawn for each map."""
    largest: Share = 0.5
    """Side of the largest square, as a share of the shorter side of the photograph."""
    scaled: bool = True
    """Multiply each map by the number that makes its infidelity least."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        seeds = pair_seeds(pairs)
        told = torch.zeros(len(pairs.maps), self.squares, dtype=torch.float64, device=pairs.maps.device)

        def without(pair: Tensor, step: Tensor) -> Tensor:
            images = photographs(pairs, pair)
            inside = self._square(uniform(of_draw(seeds[pair], step), (3,)), images)
            told[pair, step] = (images.sum(1) * pairs.maps[pair] * inside).double().sum((1, 2))
            return images.masked_fill(inside[:, None], 0)

        cost = self.unchanged(pairs)[:, None] - self.changed(pairs, self.squares, without)
        if self.scaled:
            told = told * ((told * cost).sum(1) / (told**2).sum(1).clamp(min=1e-30))[:, None]
        return ((told - cost) ** 2).mean(1)

    def _square(self, drawn: Tensor, images: Tensor) -> Tensor:
        """Three numbers in [0, 1) for each image -> (N, H, W) bool: a square inside it."""
        height, width = images.shape[2:]
        most = max(1, int(self.largest * min(height, width)))
        side = 1 + (drawn[:, 0] * most).long()
        inside = torch.ones(len(images), 1, 1, dtype=torch.bool, device=images.device)
        for axis, length in enumerate((height, width)):
            start = (drawn[:, 1 + axis] * (length - side + 1)).long()
            places = torch.arange(length, device=images.device)
            along = (places >= start[:, None]) & (places < (start + side)[:, None])
            inside = inside & along.unsqueeze(2 - axis)
        return inside
