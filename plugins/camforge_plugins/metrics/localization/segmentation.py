"""Precision, recall, F1 and pixel accuracy."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from camforge.api import MetricInput
from camforge_plugins.metrics.common.pairs import class_mean, percent
from camforge_plugins.metrics.common.pixels import PixelMetric


class Segmentation(PixelMetric):
    """F1, precision and recall of foreground pixels, and pixel accuracy, in percent (0..100) of the data set's pixels.

    f1, precision, recall  means over classes, and each class's ("macro"). The tables of Rethinking CAMs for
                           Segmentation print these; what they call Micro-F1 is this ``f1``
    micro_*                from the counts of all classes together
    pixel_accuracy         protocol "argmax": pixels with the right label, background included; "binary": pixels on the
                           right side of their class's mask, over all pairs

    A class counts as in ``miou``; a ratio without pixels (nothing predicted, nothing shown) is 0.
    """

    name = "segmentation"
    version = "2"
    family = "localization"
    bounds = (0, 100)

    def update(self, metric_input: MetricInput) -> Tensor:
        """(1 + C, 4) int64: true positives, false positives, false and true negatives; row 0 is background."""
        return self.image_counts(metric_input).sum(0)

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        occurs = total[1:, :3].sum(1) > 0
        numbers: dict[str, float] = {}
        for name, values in _ratios(total[1:]).items():
            numbers |= class_mean(name, values, occurs, classes)
        micro = {f"micro_{name}": float(value) for name, value in _ratios(total[1:].sum(0)).items()}
        return numbers | micro | {"pixel_accuracy": float(self._pixel_accuracy(total))}

    def _pixel_accuracy(self, total: Tensor) -> Tensor:
        if self.protocol == "argmax":
            return percent(total[:, 0].sum(), total[0].sum())
        return percent(total[1:, [0, 3]].sum(), total[1:].sum())


def _ratios(counts: Tensor) -> dict[str, Tensor]:
    """(…, 4) counts -> percentages (…,)."""
    hits, extra, missed = counts[..., 0], counts[..., 1], counts[..., 2]
    return {
        "f1": percent(2 * hits, 2 * hits + extra + missed),
        "precision": percent(hits, hits + extra),
        "recall": percent(hits, hits + missed),
    }
