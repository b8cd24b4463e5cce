"""Pure functions of map tensors, shared by extractors, fusers and metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""Torch's name of linear interpolation over so many axes."""


def resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """(…, h, w) -> (…, H, W), bilinear with align_corners=False (003 eq. 8); linear and trilinear for 1 and 3 axes."""
    size, dims = tuple(size), len(size)
    before, spatial = maps.shape[:-dims], maps.shape[-dims:]
    if spatial == size:
        return maps
    if maps.numel() == 0:
        return maps.new_zeros(*before, *size)
    mode = LINEAR[dims]
    return interpolate(maps.reshape(-1, 1, *spatial), size=size, mode=mode, align_corners=False).reshape(*before, *size)


def wide(values: Tensor) -> Tensor:
    """Half precision to float32; any other type stays."""
    return values if values.dtype.itemsize >= 4 else values.float()


def all_zero(maps: Tensor) -> Tensor:
    """(P, …) -> (P,) bool: maps that are zero everywhere."""
    return (maps == 0).flatten(1).all(1)


def all_finite(maps: Tensor) -> Tensor:
    """(P, …) -> (P,) bool: maps without NaN and infinity."""
    return torch.isfinite(maps).flatten(1).all(1)


def max_normalise(maps: Tensor, dims: int = 2) -> Tensor:
    """ReLU, then divide each map, the last ``dims`` axes, by its own maximum; an all-zero map stays zero."""
    maps = maps.relu()
    peak = maps.amax(dim=tuple(range(-dims, 0)), keepdim=True)
    return maps / torch.where(peak == 0, 1, peak)


def minmax_normalise(maps: Tensor, dims: int = 2) -> Tensor:
    """Each map, the last ``dims`` axes, to [0, 1]; a constant map becomes zero."""
    axes = tuple(range(-dims, 0))
    low, high = maps.amin(dim=axes, keepdim=True), maps.amax(dim=axes, keepdim=True)
    return (maps - low) / torch.where(high == low, 1, high - low)


NORMALISERS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "none": lambda maps, _dims: maps,
    "max": max_normalise,
    "minmax": minmax_normalise,
}
"""By name, from maps and the number of their spatial axes."""


def seed_mask(maps: Tensor, threshold: float, normalise: Literal["max", "minmax"] = "max") -> Tensor:
    """(…, H, W) -> bool seed masks: normalised map >= threshold; an all-zero map gives an empty mask."""
    scaled = max_normalise(maps) if normalise == "max" else minmax_normalise(maps)
    mask = scaled >= threshold
    return mask if threshold > 0 else mask & (scaled > 0)


def truncate(gradients: Tensor, quantile: float, over_layer: bool = False, strict: bool = False) -> Tensor:
    """LT truncation (003 eq. 9-11): keep g where g >= the quantile of the positive values of its map, else 0.

    gradients (P, C, …); the percentile is taken per channel, or over the whole layer, with linear interpolation.
    A channel without positive values becomes 0. ``quantile`` in [0, 1); 0 keeps every positive value.
    """
    if quantile == 0 and not strict:
        return gradients.relu()
    flat = gradients.flatten(1 if over_layer else 2)
    positive = flat > 0
    count = positive.sum(-1, keepdim=True)
    place = quantile * (count - 1).clamp(min=0).double()
    rank = (place + 1e-9).floor().long()
    low = _ranked(flat, positive, rank, int(quantile * (flat.shape[-1] - 1) + 1e-9))
    kept = flat > low
    if not strict:  # the threshold is above ``low`` where it lies between two different values, otherwise equal to it
        equal = (place - rank < 1e-9) | ((positive & (flat <= low)).sum(-1, keepdim=True) > rank + 1)
        kept |= (flat == low) & equal
    return torch.where(kept & positive, flat, torch.zeros_like(flat)).reshape(gradients.shape)


def _ranked(values: Tensor, positive: Tensor, rank: Tensor, place: int) -> Tensor:
    """(…, N), rank (…, 1) -> (…, 1): the positive value of that rank in its row, infinity where there is none.

    ``kthvalue`` takes one place for all rows. The non-positive values sort before or after the positive ones: each row
    is padded in front with as many of them as bring its rank to ``place``, and the rest become infinity.
    """
    surplus = (~positive).sum(-1, keepdim=True) + rank - place
    behind = ~positive & ((~positive).cumsum(-1, dtype=torch.int32) <= surplus)
    return values.clamp(min=0).masked_fill(behind, torch.inf).kthvalue(place + 1, -1, keepdim=True).values


def merge_layers(maps: Sequence[Tensor], how: Literal["sum", "max", "tanh_max", "normalised_sum"]) -> Tensor:
    """Maps (P, h_l, w_l) of several layers, or of several views of the images -> (P, H, W) at their largest size.

    "sum" is 003 eq. 8; "max" the element-wise maximum; "tanh_max" Layer-CAM's own rule, max of tanh(2 * cam / max cam);
    "normalised_sum" the sum of rectified maps over their maxima after upsampling.
    """
    size = max((m.shape[1:] for m in maps), key=lambda shape: shape.numel())
    if how == "tanh_max":
        maps = [torch.tanh(2 * max_normalise(m, m.dim() - 1)) for m in maps]
    stack = torch.stack([resize(m, size) for m in maps])
    if how == "normalised_sum":
        return max_normalise(stack, stack.dim() - 2).sum(0)
    return stack.sum(0) if how == "sum" else stack.amax(0)
