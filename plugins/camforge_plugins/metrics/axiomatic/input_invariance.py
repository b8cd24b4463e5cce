"""Does the map stay where the image is shifted and the network takes the shift away?"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pair_metric import ModelMetric, norms


class InputInvariance(ModelMetric):
    """Input invariance, from 0, lower is better (Kindermans et al., 2017, sec. 2).

    |map of x + shift by the network that takes the shift away - map(x)| / |map(x)|, Euclidean. Both networks say the
    same of their images, so a map that differs hangs on what does not matter. Maps of zeros are not counted.
    """

    name = "input_invariance"
    family = "axiomatic"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"input_invariance"})
    shift: float = 1.0
    """Added to every normalised colour."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        shifted = self.model(pairs).with_shifted_input(self.shift)
        moved = self.maps(pairs, pairs.batch.images[pairs.images] + self.shift, model=shifted)
        size = norms(pairs.maps)
        change = norms(moved - pairs.maps)
        return (change / size).where(size > 0, torch.nan)
