"""Does the map, without its noise, change when the network forgets what it learned?"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.forgetful import RandomizationMetric
from camforge_plugins.metrics.common.pair_metric import Count


class SmoothMPRT(RandomizationMetric):
    """Smooth MPRT, -1..1, lower is better (Hedstrom et al., 2023, eq. 6).

    As ``mprt``, but every map is the mean over ``samples`` photographs with Gaussian noise, and the layers nearest to
    the input are lost first.
    """

    name = "smooth_mprt"
    family = "randomization"
    bounds = (-1, 1)
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"smooth_mprt"})
    order: Literal["output first", "input first"] = "input first"
    """Whose weights are lost first: the layers' nearest to the output, or nearest to the input."""
    samples: Count = 4
    """Noisy photographs whose maps are averaged."""
    noise: Annotated[float, Field(gt=0)] = 0.2
    """Deviation, in normalised colours."""

    def pair_values(self, pairs: MetricInput) -> Tensor:
        before = self.smooth(pairs, self.model(pairs), self.samples, self.noise)
        return self.likeness(pairs, before, self.samples, self.noise)
