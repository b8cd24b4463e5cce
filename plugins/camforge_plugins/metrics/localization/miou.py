"""Mean intersection over union."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pairs import class_mean, percent
from camforge_plugins.metrics.common.pixels import PixelMetric


class MeanIoU(PixelMetric):
    """Mean IoU in percent (0..100): pixels are counted over the whole data set, then IoU per class, then the mean.

    By default the protocol of the CAM papers (Huang et al. 2020, eq. 7): one binary mask per class at 0.15 of the
    maximum, over the images that hold the class, foreground classes only. A class that labels name but no mask shows
    has IoU 0 as soon as it is predicted somewhere; a class neither shown nor predicted is left out of the mean.
    """

    name = "miou"
    version = "2"
    family = "localization"
    bounds = (0, 100)
    with_background: bool = False
    """Count the background, which is what no class's mask claims, as one more class."""
    per_image: bool = False
    """IoU per image and class; "miou" is then the mean over images of the mean over an image's classes."""

    def update(self, metric_input: MetricInput) -> Tensor:
        """(1 + C, 4) int64 counts; ``per_image``: (2 + C, 2) float64 sums of IoU and their number, last the images'."""
        counts = self.image_counts(metric_input, self.with_background)
        if not self.per_image:
            return counts.sum(0)
        union = counts[..., :3].sum(-1)
        iou, occurs = percent(counts[..., 0], union), union > 0
        averaged = occurs if self.with_background else occurs[:, 1:]
        number = averaged.sum(1)
        mean = (iou if self.with_background else iou[:, 1:]).where(averaged, 0).sum(1) / number.clamp(min=1)
        rows = torch.stack([iou.sum(0), occurs.sum(0).double()], 1)
        return torch.cat([rows, torch.stack([mean.sum(), (number > 0).sum().double()])[None]])

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        names, first = ("background", *classes), 0 if self.with_background else 1
        if self.per_image:
            values, occurs = total[:-1, 0] / total[:-1, 1].clamp(min=1), total[:-1, 1] > 0
        else:
            union = total[:, :3].sum(1)
            values, occurs = percent(total[:, 0], union), union > 0
        numbers = class_mean(self.name, values[first:], occurs[first:], names[first:])
        return numbers | {self.name: float(total[-1, 0] / total[-1, 1])} if self.per_image else numbers
