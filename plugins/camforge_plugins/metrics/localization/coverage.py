"""How much of an object's parts a map covers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from camforge.api import IGNORED, CamForgeError, Metric, MetricInput, Requirement
from camforge_plugins.metrics.common.foreground import Normalise, Threshold, foreground
from camforge_plugins.metrics.common.pairs import class_mean, labelled_pairs, percent, truth_masks

BODY, PART = 1, 2  # values of ``Batch.parts``


class Coverage(Metric):
    """Recall of the discriminative part, recall of the body, and leakage, in percent (0..100) of the data set's pixels.

    part_recall  share of the pixels of a class's discriminative parts that its masks cover, mean over classes
    body_recall  the same of the bodies
    leakage      share of a class's predicted pixels that lie outside every object, mean over classes; lower is better
    """

    name = "coverage"
    family = "localization"
    bounds = (0, 100)
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"leakage"})
    threshold: Threshold = 0.15
    """A fraction of the normalised map, "otsu" or "twice_mean": where a pixel counts as found."""
    normalise: Normalise = "max"
    """"max": ReLU, then divide by the maximum; "minmax": stretch to 0..1."""

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"masks", "parts"})

    def update(self, metric_input: MetricInput) -> Tensor:
        """(C, 6) int64: part covered, part, body covered, body, predicted outside every object, predicted."""
        masks, parts = truth_masks(metric_input, self.name), metric_input.batch.parts
        if parts is None:
            raise CamForgeError(f"metric 'coverage' needs part masks, and image {metric_input.batch.ids[0]!r} has none")
        pairs = labelled_pairs(metric_input, self.name)
        masks, parts = masks[pairs.images], parts.to(masks.device)[pairs.images]
        valid = masks != IGNORED
        predicted = foreground(pairs.maps, self.threshold, self.normalise) & valid
        own = masks == (1 + pairs.classes)[:, None, None]
        part, body = own & (parts == PART), own & (parts == BODY)
        cells = (part & predicted, part, body & predicted, body, predicted & (masks == 0), predicted)
        counts = torch.stack([cell.sum((1, 2)) for cell in cells], 1)
        total = torch.zeros(metric_input.batch.labels.shape[1], len(cells), dtype=torch.int64, device=masks.device)
        return total.index_add_(0, pairs.classes, counts)

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        numbers: dict[str, float] = {}
        for place, name in ((0, "part_recall"), (2, "body_recall")):
            numbers |= class_mean(name, percent(total[:, place], total[:, place + 1]), total[:, place + 1] > 0, classes)
        # a class that is shown but predicted nowhere leaks nothing
        shown = total[:, 1] + total[:, 3] > 0
        return numbers | class_mean("leakage", percent(total[:, 4], total[:, 5]), shown, classes)
