"""PxAP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import IGNORED, CamForgeError, Evidence, Metric, minmax_normalise
from camforge_plugins.metrics.grid import grid_bins, grid_edges, rounded_up
from camforge_plugins.metrics.observed import labelled_pairs, truth_masks


class PxAP(Metric):
    """Pixel average precision in percent (Choe et al. 2020): the area under the pixels' precision-recall curve.

    As the authors' wsolevaluation computes it: min-max maps in bins of width ``step``, pixels of all images together,
    ignored pixels left out. Every labelled class of an image is a pair of its own.
    """

    name = "pxap"
    step: Annotated[float, Field(gt=0, le=0.5)] = 0.001

    def observe(self, evidence: Evidence) -> Tensor:
        """(2, bins) int64: pixels beside and inside the class's mask, by the bin of their value; 1 has its own."""
        masks, pairs = truth_masks(evidence, self.name), labelled_pairs(evidence, self.name)
        edges = rounded_up(torch.cat([grid_edges(self.step), torch.ones(1)]), pairs.maps)
        place = grid_bins(minmax_normalise(pairs.maps), edges, self.step)
        masks = masks[pairs.images]
        place += (masks == (1 + pairs.classes)[:, None, None]) * len(edges)
        return torch.bincount(place[masks != IGNORED], minlength=2 * len(edges)).view(2, -1)

    def conclude(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        del classes
        if not total[1].any():
            raise CamForgeError(f"metric {self.name!r}: no mask that it observed shows a pixel of a labelled class")
        false, true = total.double().flip(1).cumsum(1)
        recall = true / true[-1]
        # nothing above the highest bins: no precision there, and no recall to weigh it with
        precision = torch.where(true + false > 0, true / (true + false), 0.0)
        rise = torch.diff(recall, prepend=recall.new_zeros(1))
        return {self.name: float(100 * (precision * rise).sum())}
