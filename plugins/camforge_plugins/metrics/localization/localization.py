"""Localization and classification errors of weakly supervised object localization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Metric, MetricInput, Requirement
from camforge_plugins.metrics.common.boxes import Component, best_overlap, component_boxes, need_boxes, pair_boxes
from camforge_plugins.metrics.common.foreground import Normalise, Threshold, foreground
from camforge_plugins.metrics.common.pairs import class_mean, labelled_pairs

TOP = 5


class Localization(Metric):
    """Top-1, Top-5 and GT-known localization error, and classification error, in percent (Yang et al. 2020, sec. 4.1).

    A map of the true class is right where its box has IoU >= 0.5 (exclusive coordinates) with a true box of the class
    (GT-known); Top-1 and Top-5 ask besides that the class is among the one or five highest logits. Every labelled class
    of an image is a case of its own. Where no network was asked (controls), only GT-known is told.
    """

    name = "localization"
    family = "localization"
    bounds = (0, 100)
    lower_is_better: ClassVar[frozenset[str]] = frozenset(
        {"top1_loc_error", "top5_loc_error", "gtknown_loc_error", "top1_cls_error", "top5_cls_error"}
    )
    threshold: Threshold = 0.2
    """Of the map's maximum: 0.2 is Zhou et al. 2016's, whose boxes the paper takes; its released code has 0.12."""
    normalise: Normalise = "max"
    """"max": ReLU, then divide by the maximum; "minmax": stretch to 0..1."""
    component: Component = "largest"
    """Boxes of the largest 8-connected component of the mask, or of every one."""
    iou: Annotated[float, Field(gt=0, le=1)] = 0.5
    """An overlap from this on is a find."""

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"boxes"})

    def update(self, metric_input: MetricInput) -> Tensor:
        """(C, 7) int64 cases: Top-1 and Top-5 localized, GT-known, Top-1 and Top-5 classified, all, with logits; and
        in a last row the true boxes."""
        pairs = labelled_pairs(metric_input, self.name)
        masks = foreground(pairs.maps, self.threshold, self.normalise)
        found = best_overlap(*component_boxes(masks, self.component), pairs) >= self.iou
        top1, top5 = (rank_below(pairs, limit) for limit in (1, TOP))
        asked = torch.full_like(found, pairs.logits is not None)
        cases = torch.stack([top1 & found, top5 & found, found, top1, top5, torch.ones_like(found), asked], 1).long()
        total = torch.zeros(
            1 + metric_input.batch.labels.shape[1], cases.shape[1], dtype=torch.int64, device=cases.device
        )
        total.index_add_(0, pairs.classes, cases)
        total[-1] = len(pair_boxes(pairs)[0])
        return total

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        need_boxes(float(total[-1, 0]), self.name)
        by_class = total[:-1].double()
        cases = by_class.sum(0)
        names = ("top1_loc_error", "top5_loc_error", "gtknown_loc_error", "top1_cls_error", "top5_cls_error")
        numbers: dict[str, float] = {}
        for place, name in enumerate(names):
            asked = 5 if name == "gtknown_loc_error" else 6
            if cases[asked] > 0:
                single = 100 * (1 - by_class[:, place] / by_class[:, asked].clamp(min=1))
                numbers |= class_mean(name, single, by_class[:, asked] > 0, classes)
                numbers[name] = float(100 * (1 - cases[place] / cases[asked]))
        return numbers


def rank_below(pairs: MetricInput, limit: int) -> Tensor:
    """(P,) bool: fewer than ``limit`` classes come before the pair's own by logit, a lower index first among equals."""
    if pairs.logits is None:
        return torch.zeros(len(pairs.maps), dtype=torch.bool, device=pairs.maps.device)
    logits = pairs.logits.to(pairs.maps.device)[pairs.images]
    own = logits.gather(1, pairs.classes[:, None])
    lower = torch.arange(logits.shape[1], device=logits.device) < pairs.classes[:, None]
    return ((logits > own) | ((logits == own) & lower)).sum(1) < limit
