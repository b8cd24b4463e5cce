"""Which entries of an axis exist for a pair."""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import Axis, Maps


def presence(values: Tensor, maps: Maps, axis: Axis) -> Tensor:
    """(P, n, *rest, H, W) -> bool that broadcasts with it: only the view axis has entries that a class may lack."""
    places = maps.valid if axis == "view" else torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
    return places.reshape(*values.shape[:2], *(1 for _ in values.shape[2:]))
