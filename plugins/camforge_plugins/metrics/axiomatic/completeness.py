"""Does the map add up to the score?"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import ModelMetric, Score


class Completeness(ModelMetric):
    """The gap of completeness, from 0, lower is better (Sundararajan et al., ICML 2017, axiom of sec. 3).

    |sum of the map - (f(x) - f(mean colour))| / |f(x) - f(mean colour)|: 0 where the map adds up to what the photograph
    adds to the score. Few class activation maps promise it: read it for a method that does.
    """

    name = "completeness"
    family = "axiomatic"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"completeness"})
    score: Score = "logit"

    def pair_values(self, pairs: MetricInput) -> Tensor:
        images = pairs.batch.images[pairs.images]
        gain = self.unchanged(pairs) - self.scores(pairs, torch.zeros_like(images), pairs.classes)
        gap = (pairs.maps.double().sum((1, 2)) - gain).abs() / gain.abs()
        return gap.where(gain != 0, torch.nan)
