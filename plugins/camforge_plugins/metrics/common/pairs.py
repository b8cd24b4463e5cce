"""What every metric asks of its input, and how numbers are named."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from camforge.api import IGNORED, CamForgeError, MetricInput


def labelled_pairs(metric_input: MetricInput, metric: str) -> MetricInput:
    """The pairs whose class the image's label holds; a held class without a map gets an all-zero one.

    Raises CamForgeError where a map is NaN or infinite.
    """
    _check_finite(metric_input, metric)
    return metric_input.shared("labelled pairs", lambda: _labelled(metric_input))


def _labelled(metric_input: MetricInput) -> MetricInput:
    maps, device = metric_input.maps, metric_input.maps.device
    labels = metric_input.batch.labels.to(device)
    images, classes = metric_input.images.to(device), metric_input.classes.to(device)
    given = torch.zeros_like(labels)
    given[images, classes] = True
    if torch.equal(given, labels):  # the usual case, without a copy of the maps
        return replace(metric_input, images=images, classes=classes)
    held = labels[images, classes]
    absent = (labels & ~given).nonzero()
    return replace(
        metric_input,
        maps=torch.cat([maps[held], maps.new_zeros(len(absent), *maps.shape[1:])]),
        images=torch.cat([images[held], absent[:, 0]]),
        classes=torch.cat([classes[held], absent[:, 1]]),
    )


def _check_finite(metric_input: MetricInput, metric: str) -> None:
    finite = metric_input.maps.amin((1, 2)).isfinite() & metric_input.maps.amax((1, 2)).isfinite()
    if not finite.all():
        bad = int((~finite).nonzero()[0])
        image, label = metric_input.batch.ids[int(metric_input.images[bad])], int(metric_input.classes[bad])
        raise CamForgeError(f"metric {metric!r}: the map of image {image!r}, class {label} holds NaN or infinity")


def truth_masks(metric_input: MetricInput, metric: str) -> Tensor:
    """(B, H, W) uint8 class masks, on the maps' device and of the maps' size, or a CamForgeError."""
    masks, classes = metric_input.batch.masks, metric_input.batch.labels.shape[1]
    if masks is None:
        raise CamForgeError(f"metric {metric!r} needs class masks, and image {metric_input.batch.ids[0]!r} has none")
    if masks.shape[1:] != metric_input.maps.shape[1:]:
        sizes = f"{tuple(masks.shape[1:])} and {tuple(metric_input.maps.shape[1:])}"
        raise CamForgeError(f"metric {metric!r}: masks and maps differ in size: {sizes}")
    if len(metric_input.classes) and int(metric_input.classes.max()) >= IGNORED - 1:
        raise CamForgeError(f"metric {metric!r}: masks tell {IGNORED - 1} classes apart, and there are {classes}")
    masks = masks.to(metric_input.maps.device)
    if int((masks + 1).amax()) > classes + 1:  # 255, which is ignored, goes round to 0
        raise CamForgeError(f"metric {metric!r}: a mask holds a value that is not 0..{classes} or {IGNORED} (ignored)")
    return masks


def sides(pairs: MetricInput, masks: Tensor) -> Tensor:
    """(P, H, W) uint8: 2 where a pixel shows the pair's class, 1 beside it, 0 where it is ignored.

    Arithmetic of bytes (below 0 they go round to 255), which is many times as fast as comparisons.
    """
    own = masks.index_select(0, pairs.images)
    other = (own - (1 + pairs.classes.to(torch.uint8))[:, None, None]).clamp_(max=1)
    return (IGNORED - own).clamp_(max=1).mul_(2 - other)


def percent(part: Tensor, whole: Tensor) -> Tensor:
    """100 * part / whole in float64, 0 where ``whole`` is 0."""
    whole = whole.double()
    return torch.where(whole > 0, 100 * part.double() / whole, torch.zeros_like(whole))


def class_mean(name: str, values: Tensor, occurs: Tensor, classes: tuple[str, ...]) -> dict[str, float]:
    """``name`` is the mean of ``values`` (C,) over the classes that occur (C,) bool, ``name/class`` each one's value.

    A class that does not occur is neither in the mean nor named. CamForgeError where none occurs.
    """
    if not occurs.any():
        raise CamForgeError(f"nothing to compute {name!r} from: no class was given")
    single = {f"{name}/{classes[c]}": float(values[c]) for c in occurs.nonzero().flatten().tolist()}
    return {name: float(values[occurs].mean())} | single
