"""Drop, coherency and complexity as one number."""

from __future__ import annotations

from torch import Tensor

from camforge.api import MetricInput, max_normalise
from camforge_plugins.metrics.common.coherent import CoherentMetric, harmonic_mean
from camforge_plugins.metrics.faithfulness.average_drop import drop


class ADCC(CoherentMetric):
    """ADCC, in percent, higher is better (Poppi et al., CVPR workshops 2021, eq. 8).

    The harmonic mean of coherency ((1 + Pearson's correlation of the map with that of the photograph it masks) / 2),
    1 - complexity (the map's mean) and 1 - average drop, for each map; the paper takes it of the means over all maps.
    """

    name = "adcc"
    family = "faithfulness"
    bounds = (0, 100)

    def pair_values(self, pairs: MetricInput) -> Tensor:
        masked = pairs.batch.images[pairs.images] * max_normalise(pairs.maps)[:, None]
        kept = 1 - drop(self.unchanged(pairs), self.scores(pairs, masked, pairs.classes))
        return 100 * harmonic_mean(self.coherency(pairs), self.simplicity(pairs), kept)
