"""Does the map change more than the logits?"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.noisy import RelativeStability, sample_norms


class RelativeOutputStability(RelativeStability):
    """Relative output stability, from 0, lower is better (Agarwal et al., 2022, eq. 5).

    max over noisy x' of the same prediction of |(map(x) - map(x')) / map(x)| / max(|h(x) - h(x')|, 1e-6), h the logits
    of all classes, Euclidean.
    """

    name = "relative_output_stability"
    family = "robustness"
    bounds = (0, float("inf"))
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"relative_output_stability"})

    def distances(self, pairs: MetricInput) -> Tensor:
        return sample_norms(self.noisy_logits(pairs) - self.logits(pairs)[:, None])
