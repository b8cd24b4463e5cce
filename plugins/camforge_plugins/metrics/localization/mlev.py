"""Mean localization error value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Metric, MetricInput, Requirement
from camforge_plugins.metrics.common.boxes import Component, best_overlap, component_boxes, need_boxes, pair_boxes
from camforge_plugins.metrics.common.foreground import Normalise, Threshold, foreground
from camforge_plugins.metrics.common.pairs import class_mean, labelled_pairs


class MeanLocalizationError(Metric):
    """mLEV in percent (lower is better): how often no predicted box overlaps a true one (Huang et al. 2020, eq. 8).

    A pair of an image and a class that its label holds errs unless some predicted box has IoU > 0.5 (exclusive
    coordinates) with a true box of the class. Equation 8 sums over classes and divides by images, so three readings:
    "pair" the mean over pairs, "image" the mean over images of an image's mean, "literal" errors per image, which can
    pass 100. An image counts where its label holds a class. A class without a true box in the image (cropped out, say)
    is an error.
    """

    name = "mlev"
    family = "localization"
    bounds = (0, 100)
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"mlev"})
    threshold: Threshold = 0.15
    """A fraction of the normalised map, "otsu" or "twice_mean": where a pixel counts as found."""
    normalise: Normalise = "max"
    """"max": ReLU, then divide by the maximum; "minmax": stretch to 0..1."""
    component: Component = "largest"
    """Boxes of the largest 8-connected component of the mask, or of every one."""
    reading: Literal["pair", "image", "literal"] = "pair"
    """What errors are divided by: pairs, images after a mean over each image's own pairs, or ("literal") images."""
    iou: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """An overlap above this is a find."""

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"boxes"})

    def update(self, metric_input: MetricInput) -> Tensor:
        """(1 + C, 3) float64: per class errors, pairs, true boxes; last the sum of image means, images, 0."""
        pairs = labelled_pairs(metric_input, self.name)
        masks = foreground(pairs.maps, self.threshold, self.normalise)
        error = (best_overlap(*component_boxes(masks, self.component), pairs) <= self.iou).double()
        rows = torch.zeros(1 + metric_input.batch.labels.shape[1], 3, dtype=torch.float64, device=error.device)
        rows[:, 0].index_add_(0, pairs.classes, error)
        rows[:, 1].index_add_(0, pairs.classes, torch.ones_like(error))
        owner = pair_boxes(pairs)[1]
        rows[:, 2].index_add_(0, pairs.classes[owner], torch.ones_like(owner, dtype=torch.float64))
        held = torch.bincount(pairs.images, minlength=len(metric_input.batch)).double()
        rows[-1, 0] = (error / held[pairs.images]).sum()
        rows[-1, 1] = (held > 0).sum()
        return rows

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        need_boxes(float(total[:, 2].sum()), self.name)
        errors, pairs = total[:-1, 0], total[:-1, 1]
        numbers = class_mean(self.name, 100 * errors / pairs.clamp(min=1), pairs > 0, classes)
        images = total[-1, 1]
        means = {"pair": errors.sum() / pairs.sum(), "image": total[-1, 0] / images, "literal": errors.sum() / images}
        return numbers | {self.name: float(100 * means[self.reading])}
