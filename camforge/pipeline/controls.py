"""Maps that look at nothing: what every number must be held against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from camforge.config.schema import EVERYTHING, GAUSSIAN


def centred_gaussian(height: int, width: int) -> Tensor:
    """(H, W): exp(-d^2 / 2) with d in quarters of the height and width from the centre."""
    y = (torch.arange(height) + 0.5 - height / 2) / (height / 4)
    x = (torch.arange(width) + 0.5 - width / 2) / (width / 4)
    return torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / 2)


CONTROLS: dict[str, Callable[[int, int], Tensor]] = {
    GAUSSIAN: centred_gaussian,
    EVERYTHING: torch.ones,
}
