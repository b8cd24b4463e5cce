"""Does the map change when the network forgets what it learned?"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.forgetful import RandomizationMetric


class MPRT(RandomizationMetric):
    """Model parameter randomisation test, -1..1, lower is better (Adebayo et al., NeurIPS 2018, sec. 4.1).

    How alike the map and those of networks that lost the weights of their layers are, from the output on and
    cumulating ("cascading"); the mean over ``steps`` networks, the last of which knows nothing. Maps of zeros are not
    counted. ``camforge sanity`` draws it for each step.
    """

    name = "mprt"
    family = "randomization"
    bounds = (-1, 1)
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"mprt"})

    def pair_values(self, pairs: MetricInput) -> Tensor:
        return self.likeness(pairs, pairs.maps)
