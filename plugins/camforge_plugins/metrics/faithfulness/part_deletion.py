"""Did the map know which parts matter?"""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import MetricInput, rank_correlation
from camforge_plugins.metrics.common.interventions import InterventionMetric


class PartDeletion(InterventionMetric):
    """Single deletion of parts, as FunnyBirds does it (Hesse et al., ICCV 2023, sec. 3.3), on drawn scenes.

    Each part of the scene (body and head of every class shown) is left out once, and the scene drawn again. With a
    part's importance the sum of the map over it, and its effect f(x) - f(x drawn without it):
    part_deletion  Spearman's correlation of importance and effect over a scene's parts, -1..1, higher is better
    part_hit       how often the part of the largest effect is that of the largest importance, in percent, higher is
                   better
    The intervention is exact: nothing is painted over, and no other pixel changes.
    """

    name = "part_deletion"
    family = "faithfulness"
    bounds = (-1, 100)
    numbers = ("part_deletion", "part_hit")

    def pair_values(self, pairs: MetricInput) -> Tensor:
        found = self.removals(pairs)
        counts = torch.bincount(found.pairs, minlength=len(pairs.maps))
        values = torch.full((len(pairs.maps), 2), torch.nan, dtype=torch.float64, device=pairs.maps.device)
        for count in counts.unique().tolist():
            same = counts == count
            if count > 1:
                rows = same[found.pairs]
                told, drops = found.told[rows].view(-1, count), found.drops[rows].view(-1, count)
                hit = told.argmax(1) == drops.argmax(1)
                values[same] = torch.stack([rank_correlation(told, drops), 100 * hit.double()], 1)
        return values
