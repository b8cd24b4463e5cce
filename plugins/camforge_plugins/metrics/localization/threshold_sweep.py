"""mIoU at every threshold from one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

import torch
from torch import Tensor

from camforge.api import IGNORED, CamForgeError, Metric, MetricInput, Requirement, max_normalise, minmax_normalise
from camforge_plugins.metrics.common.foreground import Fraction, Normalise
from camforge_plugins.metrics.common.pairs import class_mean, labelled_pairs, percent, sides, truth_masks
from camforge_plugins.metrics.common.pixels import label_maps

STEPS = 100


class ThresholdSweep(Metric):
    """The best threshold of 0, 0.01 … 1 and the mIoU (percent) there: what ``miou`` gives, from one histogram.

    With ``choose="train"`` the training images' masks choose the threshold, and the numbers are those of the
    validation images there: what a practitioner would get. Otherwise the images choose for themselves: an upper bound.
    """

    name = "threshold_sweep"
    version = "2"
    family = "localization"
    bounds = (0, 100)
    normalise: Normalise = "max"
    """"max": ReLU, then divide by the maximum; "minmax": stretch to 0..1."""
    choose: Literal["self", "train"] = "self"
    """Whose masks choose the threshold: "self", those of the measured images; "train", the training images'."""
    threshold: Fraction | None = None
    """The threshold, where it is chosen already."""
    protocol: Literal["binary", "argmax"] = "binary"
    """"argmax": the highest map has the pixel where it exceeds the threshold, as IRN's code chooses its background
    score (Ahn et al. 2019)."""
    with_background: bool = False
    """With "argmax": the background is one more class."""

    @property
    def thresholds(self) -> Mapping[str, str]:
        return {f"{self._word}_threshold": f"{self._word}_miou"}

    @property
    def _word(self) -> str:
        return "tuned" if self.choose == "train" or self.threshold is not None else "best"

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"masks"})

    @property
    def needs_calibration(self) -> bool:
        return self.choose == "train" and self.threshold is None

    def calibrate(self, total: Tensor) -> Self:
        return self.model_copy(update={"threshold": self._best(total) / STEPS})

    def update(self, metric_input: MetricInput) -> Tensor:
        """(C, 2, 102) int64 pixels: beside and inside the class's mask, by how many thresholds they reach.

        "argmax", (1 + C, 3, 102), by how many they exceed, the background first: where the class is highest, rightly
        and wrongly, and its own.
        """
        masks, pairs = truth_masks(metric_input, self.name), labelled_pairs(metric_input, self.name)
        scaled = max_normalise(pairs.maps) if self.normalise == "max" else minmax_normalise(pairs.maps)
        if self.protocol == "argmax":
            return self._of_label_maps(pairs, masks, scaled)
        rows, bins = 3 * pairs.batch.labels.shape[1], STEPS + 2
        row = 3 * pairs.classes[:, None, None] + sides(pairs, masks)
        place = row * bins + self._reached(scaled)
        return torch.bincount(place.flatten(), minlength=rows * bins).view(-1, 3, bins)[:, 1:]

    def _of_label_maps(self, pairs: MetricInput, masks: Tensor, scaled: Tensor) -> Tensor:
        rows, bins, valid = 1 + pairs.batch.labels.shape[1], STEPS + 2, masks != IGNORED
        winner = label_maps(scaled, pairs.images, pairs.classes, len(masks), -1.0)
        index = pairs.images[:, None, None].expand_as(scaled)
        top = torch.zeros_like(winner).scatter_reduce(0, index, self._reached(scaled, exceeded=True), "amax")
        kind = 2 * winner + (winner != masks)
        claimed = torch.bincount((kind * bins + top)[valid], minlength=2 * rows * bins).view(rows, 2, bins)
        shown = torch.bincount((masks.long() * bins + top)[valid], minlength=rows * bins).view(rows, 1, bins)
        return torch.cat([claimed, shown], 1)

    def _reached(self, scaled: Tensor, exceeded: bool = False) -> Tensor:
        """(P, H, W) normalised maps -> int64: how many thresholds a value reaches, or exceeds; 0 reaches none.

        Where rounding moved a value over a threshold, multiplication is off by one: the thresholds themselves decide.
        """
        flat, edges = scaled.flatten(), self.steps().to(scaled)
        place = (flat * STEPS).long()
        place -= (flat < edges.index_select(0, place)).long()
        above = edges.index_select(0, (place + 1).clamp(max=STEPS))
        place += ((flat >= above) & (place < STEPS)).long()
        if exceeded:
            place -= (flat == edges.index_select(0, place)).long()
        return torch.where(flat > 0, 1 + place, 0).view_as(scaled)

    @staticmethod
    def steps() -> Tensor:
        """(101,) float64: 0, 0.01 … 1."""
        return torch.tensor([k / STEPS for k in range(STEPS + 1)], dtype=torch.float64)

    def class_curves(self, total: Tensor) -> tuple[Tensor, Tensor]:
        """Statistics -> IoU (C, 101) in percent at each threshold, and (C, 101) bool: the class occurs.

        With the background it is the first of 1 + C.
        """
        predicted = total.flip(-1).cumsum(-1).flip(-1)[..., 1:]
        if self.protocol == "argmax":
            return self._argmax_curves(total, predicted)
        union = predicted[:, 0] + total[:, 1].sum(-1, keepdim=True)
        return percent(predicted[:, 1], union), union > 0

    def _argmax_curves(self, total: Tensor, reached: Tensor) -> tuple[Tensor, Tensor]:
        """``reached``: the statistics by what exceeds each threshold; the rest of the pixels is background."""
        hits, claimed, shown = reached[:, 0].clone(), reached[:, :2].sum(1), total[:, 2].sum(-1, keepdim=True)
        hits[0] = shown[0] - reached[0, 2]
        claimed[0] = shown.sum() - reached[:, 2].sum(0)
        union = claimed + shown - hits
        first = 0 if self.with_background else 1
        return percent(hits, union)[first:], (union > 0)[first:]

    def curve(self, total: Tensor) -> Tensor:
        """Statistics -> (101,) float64: the mIoU in percent at each threshold."""
        values, occurs = self.class_curves(total)
        if not occurs[:, 0].any():
            raise CamForgeError(f"nothing to compute {self.name!r} from: no class was given")
        return values.sum(0) / occurs.sum(0).clamp(min=1)

    def compute(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, float]:
        place = self._best(total) if self.threshold is None else round(self.threshold * STEPS)
        values, occurs = self.class_curves(total)
        names = ("background", *classes) if len(values) > len(classes) else classes
        numbers = class_mean(f"{self._word}_miou", values[:, place], occurs[:, place], names)
        return numbers | {f"{self._word}_threshold": float(self.steps()[place])}

    def curves(self, total: Tensor, classes: tuple[str, ...]) -> Mapping[str, list[tuple[float, float]]]:
        del classes
        return {"miou over the threshold": list(zip(self.steps().tolist(), self.curve(total).tolist(), strict=True))}

    def _best(self, total: Tensor) -> int:
        return int(self.curve(total).argmax())
