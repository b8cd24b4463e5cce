"""Does the map change more than the image?"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.noisy import RelativeStability, relative
from camforge_plugins.metrics.common.pair_metric import norms


class RelativeInputStability(RelativeStability):
    """Relative input stability, from 0, lower is better (Agarwal et al., 2022, eq. 2).

    max over noisy x' of the same prediction of |(map(x) - map(x')) / map(x)| / max(|(x - x') / x|, 1e-6), divided place
    by place, Euclidean. Where x is 0 it is divided by 1e-6.
    """

    name = "relative_input_stability"
    family = "robustness"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"relative_input_stability"})

    def distances(self, pairs: MetricInput) -> Tensor:
        images = pairs.batch.images[pairs.images].double()
        moved = (relative(images, self.noisy(pairs, sample).double()) for sample in range(self.samples))
        return torch.stack([norms(step) for step in moved], 1)
