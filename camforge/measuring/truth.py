"""What is given to measure() beside the images, checked before a network runs for long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from camforge.types import CamForgeError


def check_masks(masks: Tensor | None, size: torch.Size) -> None:
    """Raises CamForgeError where masks are not (P, H, W) of the images' size (H, W)."""
    if masks is not None and (not isinstance(masks, Tensor) or masks.shape[1:] != size):
        found = tuple(masks.shape) if hasattr(masks, "shape") else type(masks).__name__
        raise CamForgeError(f"measure: masks are {found}: give a tensor (P, {size[0]}, {size[1]})")


def check_boxes(boxes: Sequence[Tensor] | Tensor | None, size: torch.Size) -> None:
    """Raises CamForgeError for the first box of less than a pixel inside the images (H, W), or that is not finite."""
    high = torch.tensor([size[1], size[0]])
    for pair, given in enumerate(() if boxes is None else boxes):
        rows = torch.as_tensor(given).cpu().float()
        if rows.numel() % 4:
            raise CamForgeError(f"measure: boxes of pair {pair} have shape {tuple(rows.shape)}: give (K, 4)")
        corners = rows.view(-1, 2, 2).clamp(min=0).minimum(high)
        seen = (corners[:, 1] - corners[:, 0] >= 1).all(1) & rows.view(-1, 4).isfinite().all(1)
        if not seen.all():
            wrong = rows.view(-1, 4)[~seen][0].tolist()
            raise CamForgeError(
                f"measure: box {wrong} of pair {pair} has no pixel in images of {size[1]}x{size[0]}: give x0, y0, x1, "
                "y1 in pixels, x1 and y1 exclusive"
            )


def checked_maps(maps: object, shape: tuple[int, ...]) -> Tensor:
    """The maps of a function. Raises CamForgeError where they are not a tensor of that shape, (N, H, W)."""
    if not isinstance(maps, Tensor) or maps.shape != shape:
        found = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
        raise CamForgeError(f"measure: the function returns {found}: maps are a tensor {shape}")
    return maps


def told_names(outputs: Sequence[int], names: Sequence[str]) -> tuple[str, ...]:
    """What each output is called: a name that several have, such as ImageNet's two cranes, comes with its number."""
    often = Counter(names)
    return tuple(
        f"output {c}" if c >= len(names) else names[c] if often[names[c]] == 1 else f"{names[c]} ({c})" for c in outputs
    )
