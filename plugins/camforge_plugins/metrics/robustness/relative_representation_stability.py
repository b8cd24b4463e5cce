"""Does the map change more than the features that it is made of?"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.noisy import RelativeStability, relative
from camforge_plugins.metrics.common.pair_metric import norms


class RelativeRepresentationStability(RelativeStability):
    """Relative representation stability, from 0, lower is better (Agarwal et al., 2022, eq. 3).

    max over noisy x' of the same prediction of |(map(x) - map(x')) / map(x)| / max(|(L(x) - L(x')) / L(x)|, 1e-6), L
    the last stage's features, Euclidean. Features that are 0 have no relative change and, as for the map, are left out
    or divided by 1e-6.
    """

    name = "relative_representation_stability"
    family = "robustness"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"relative_representation_stability"})

    def distances(self, pairs: MetricInput) -> Tensor:
        model, images = self.model(pairs), pairs.batch.images
        before = pairs.shared("features", lambda: model.features(images))[pairs.images].double()
        return torch.stack([self._moved(pairs, before, sample) for sample in range(self.samples)], 1)

    def _moved(self, pairs: MetricInput, before: Tensor, sample: int) -> Tensor:
        ratio = relative(before, self.model(pairs).features(self.noisy(pairs, sample)).double())
        return norms(ratio.where(before != 0, 0) if self.zeros == "leave out" else ratio)
