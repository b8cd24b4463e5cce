"""Scenes that are drawn again without one of their parts: what it cost the class, and what the map says of it."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

import torch
from torch import Tensor

from camforge.api import CamForgeError, MetricInput, Requirement
from camforge_plugins.metrics.common.pair_metric import ModelMetric, Score
from camforge_plugins.metrics.common.pairs import truth_masks

PARTS = (1, 2)  # values of ``Batch.parts``: body and head


@dataclass(frozen=True, eq=False)
class Removals:
    """One row for each pair and each part that its scene shows: those of its own class and of the others.

    pairs  (R,) int64, in rising order;  drops  (R,) float64: f(x) - f(x drawn without the part)
    told   (R,) float64: the sum of the pair's map over the part
    """

    pairs: Tensor
    drops: Tensor
    told: Tensor


class InterventionMetric(ModelMetric, ABC):
    """A metric that removes parts from the scene itself, for data sets that draw their images."""

    score: Score = "logit"

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"masks", "parts", "removable parts"})

    def removals(self, pairs: MetricInput) -> Removals:
        """Every part of every pair's scene removed once."""
        return pairs.shared(("removals", self.score), lambda: self._removals(pairs))

    def _removals(self, pairs: MetricInput) -> Removals:
        draw, parts, masks = pairs.without_part, pairs.batch.parts, truth_masks(pairs, self.name)
        if draw is None or parts is None:
            raise CamForgeError(f"metric {self.name!r} needs a data set that draws its images, such as partworld")
        parts = parts.to(masks.device)
        rows, before = [], self.unchanged(pairs)
        pair, shown = pairs.batch.labels.to(masks.device)[pairs.images].nonzero(as_tuple=True)
        for part in PARTS:
            image = pairs.images[pair]
            region = (masks[image] == (1 + shown)[:, None, None]) & (parts[image] == part)
            seen = region.flatten(1).any(1)
            row, label = pair[seen], shown[seen]
            after = self.scores(pairs, draw(pairs.images[row], label, part), pairs.classes[row])
            told = (pairs.maps[row].double() * region[seen]).sum((1, 2))
            rows.append(torch.stack([row.double(), before[row] - after, told]))
        found = torch.cat(rows, 1)
        found = found[:, found[0].argsort(stable=True)]
        return Removals(found[0].long(), found[1], found[2])
