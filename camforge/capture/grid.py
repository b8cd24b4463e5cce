"""Feature maps in one shape: (B, C, h, w), whatever the network's own layout."""

from __future__ import annotations

from torch import Tensor

from camforge.types import CamForgeError


def as_grid(values: Tensor, inputs: Tensor) -> Tensor:
    """(B, C, h, w) or (B, C, d, h, w) as it is; tokens (B, N, C) and channels-last (B, h, w, C) rearranged; float32.

    A token grid has the aspect of the input image; leading tokens (class, registers) are dropped.
    """
    values = values if values.dtype.itemsize >= 4 else values.float()
    if values.dim() == 3:
        return _from_tokens(values, inputs)
    if values.dim() == 4 and _channels_are_last(values, inputs):
        return values.permute(0, 3, 1, 2)
    if values.dim() < 4:
        raise CamForgeError(f"a layer of shape {tuple(values.shape)} has no spatial extent: name a shallower one")
    return values


def _channels_are_last(values: Tensor, inputs: Tensor) -> bool:
    """The two axes that shrink with the image are h and w: (h, w) has the input's aspect, the other pair has not."""
    _, a, b, c = values.shape
    if inputs.dim() != 4:
        return False
    first, last = _aspect_error(a, b, inputs), _aspect_error(b, c, inputs)
    return first < last if first != last else c > max(a, b)


def _aspect_error(h: int, w: int, inputs: Tensor) -> float:
    """How far h x w is from a whole downscaling of the input, in cells; infinite where it is larger than the input."""
    height, width = inputs.shape[-2:]
    if h > height or w > width:
        return float("inf")
    return abs(h * width - w * height) / max(height, width)


def _from_tokens(tokens: Tensor, inputs: Tensor) -> Tensor:
    batch, count, channels = tokens.shape
    height, width = inputs.shape[-2:]
    best: tuple[float, int, int] | None = None
    for extra in range(min(9, count)):  # a class token and up to eight registers
        h = round(((count - extra) * height / width) ** 0.5)
        if h < 1 or (count - extra) % h:
            continue
        w = (count - extra) // h
        score = _aspect_error(h, w, inputs) + 0.01 * extra
        if best is None or score < best[0]:
            best = (score, h, w)
    if best is None or best[0] >= 1:
        raise CamForgeError(f"{count} tokens do not form a grid of the image's aspect {height}x{width}")
    _, h, w = best
    return tokens[:, count - h * w :].transpose(1, 2).reshape(batch, channels, h, w)
