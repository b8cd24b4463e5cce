"""The photographs by which maps are refined."""

from __future__ import annotations

from torch import Tensor

from camforge.api import CamForgeError, Maps


def photographs_of(maps: Maps, name: str) -> Tensor:
    """(B, 3, H, W). Raises CamForgeError where the fuser of that name got none."""
    if maps.photographs is None:
        raise CamForgeError(f"fuser {name!r} refines maps by the photograph, and none was given")
    return maps.photographs
