"""Pixel counts against class masks: what mIoU, precision, recall and the rest are made of."""

from __future__ import annotations

from abc import ABC
from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from camforge.api import IGNORED, Metric, MetricInput, Requirement, max_normalise, minmax_normalise
from camforge_plugins.metrics.common.foreground import Normalise, Threshold, foreground
from camforge_plugins.metrics.common.pairs import labelled_pairs, sides, truth_masks


class PixelMetric(Metric, ABC):
    """A metric of pixel counts. Pixels with mask value 255 never count.

    protocol "binary": one mask per (image, class) pair, over the images whose label holds the class;
    "argmax": one label map per image, the highest normalised map where it exceeds the background score ``threshold``,
    against the whole mask, classes that the label lacks included (Ahn et al. 2019, IRN).
    """

    threshold: Threshold = 0.15
    """A fraction of the normalised map, "otsu" or "twice_mean"; with "argmax" the background's score."""
    normalise: Normalise = "max"
    """"max": ReLU, then divide by the maximum; "minmax": stretch to 0..1."""
    protocol: Literal["binary", "argmax"] = "binary"
    """"binary": one mask for each image and class; "argmax": one label map for each image, the highest map
    having the pixel."""
    drop_invisible: bool = False
    """Count an image for a class only where its mask shows it; else a class cropped out entirely still counts."""

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset({"masks"})

    @model_validator(mode="after")
    def _background_score_is_a_number(self) -> Self:
        if self.protocol == "argmax" and isinstance(self.threshold, str):
            raise ValueError(f"'argmax' needs a number, the background score, as threshold; got {self.threshold}")
        return self

    def image_counts(self, metric_input: MetricInput, background: bool = False) -> Tensor:
        """(B, 1 + C, 4) int64: true positives, false positives, false negatives, true negatives.

        Rows that do not count ("binary": a class that the image does not hold) are zero. Row 0 is the background, which
        binary masks have only where ``background`` asks for it: what no class's mask claims.
        """
        masks, pairs = truth_masks(metric_input, self.name), labelled_pairs(metric_input, self.name)
        if self.protocol == "argmax":
            counts = self._of_label_maps(pairs, masks)
        else:
            counts = self._of_masks(pairs, masks, background)
        if not self.drop_invisible:
            return counts
        visible = counts[..., 0] + counts[..., 2] > 0
        return counts * visible[..., None]

    def _of_masks(self, pairs: MetricInput, masks: Tensor, background: bool) -> Tensor:
        predicted = foreground(pairs.maps, self.threshold, self.normalise)
        counts = torch.zeros(len(masks), 1 + pairs.batch.labels.shape[1], 4, dtype=torch.int64, device=masks.device)
        counts[pairs.images, 1 + pairs.classes] = confusion(predicted, sides(pairs, masks))
        if background:
            claims = torch.zeros(masks.shape, dtype=torch.int32, device=masks.device)
            claims.index_add_(0, pairs.images, predicted.int())
            truth = (1 + (masks == 0).to(torch.uint8)) * (masks != IGNORED)
            counts[:, 0] = confusion(claims == 0, truth)
        return counts

    def _of_label_maps(self, pairs: MetricInput, masks: Tensor) -> Tensor:
        rows, valid = 1 + pairs.batch.labels.shape[1], masks != IGNORED
        scaled = max_normalise(pairs.maps) if self.normalise == "max" else minmax_normalise(pairs.maps)
        predicted = label_maps(scaled, pairs.images, pairs.classes, masks.shape[0], float(self.threshold))
        hits = per_image_count(masks.long(), rows, valid & (predicted == masks))
        claimed = per_image_count(predicted, rows, valid)
        shown = per_image_count(masks.long(), rows, valid)
        rest = valid.sum((1, 2))[:, None] - claimed - shown + hits
        return torch.stack([hits, claimed - hits, shown - hits, rest], -1)


def confusion(predicted: Tensor, truth: Tensor) -> Tensor:
    """(N, H, W) bool, (N, H, W) uint8 (2 inside, 1 outside, 0 ignored) -> (N, 4) int64.

    True and false positives, false and true negatives among the pixels that are not ignored.
    """
    claims, inside, valid = predicted.view(torch.uint8), truth >> 1, truth.clamp(max=1)
    hits, claimed, shown, everything = (
        cells.sum((1, 2), dtype=torch.int32).long() for cells in (claims * inside, claims * valid, inside, valid)
    )
    return torch.stack([hits, claimed - hits, shown - hits, everything - claimed - shown + hits], 1)


def per_image_count(values: Tensor, rows: int, where: Tensor) -> Tensor:
    """(B, H, W) int64 values, (B, H, W) bool -> (B, rows) int64: how often each value stands where ``where`` holds."""
    image = torch.arange(len(values), device=values.device)[:, None, None]
    return torch.bincount((image * rows + values)[where], minlength=len(values) * rows).view(len(values), rows)


def label_maps(scaled: Tensor, images: Tensor, classes: Tensor, count: int, background: float) -> Tensor:
    """(P, H, W) normalised maps -> (count, H, W) int64: 0 background, 1 + class index of the highest map above it.

    The background wins a tie, and of two classes the lower index.
    """
    order = (images * (1 + classes.max() if len(classes) else 1) + classes).argsort()
    scaled, images, classes = scaled[order], images[order], classes[order]
    per_image = torch.bincount(images, minlength=count)
    place = 1 + torch.arange(len(images), device=images.device) - (per_image.cumsum(0) - per_image)[images]
    places = 1 + int(per_image.max())
    scores = scaled.new_full((count, places, *scaled.shape[1:]), -torch.inf)
    scores[:, 0] = background
    scores[images, place] = scaled
    names = torch.zeros(count, places, dtype=torch.int64, device=images.device)
    names[images, place] = 1 + classes
    winner = scores.argmax(1)
    return names.gather(1, winner.flatten(1)).view_as(winner)
