"""Fusers: from a stack of maps to one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor

from camforge.interfaces.base import Plugin
from camforge.maps import max_normalise
from camforge.types import CamForgeError, Maps

Axis = Literal["view", "branch", "layer"]


class Fuser(Plugin, ABC):
    """A fuser reduces one named axis of a stack of maps; one without an axis refines the maps that are there.

    class Median(Fuser):
        \"""The median over an axis.\"""
        name = "median"

        def fuse(self, values, maps):
            return values.median(dim=1).values
    """

    kind: ClassVar[str] = "fuser"

    axis: Axis | None
    """The axis of the stack that is reduced: "view", "branch" or "layer"; null: every map is changed by itself."""
    normalise: Literal["none", "max"] = "none"
    """"max": each map is rectified and divided by its maximum before it is fused."""

    @abstractmethod
    def fuse(self, values: Tensor, maps: Maps) -> Tensor:
        """(P, n, *rest, H, W) with the fuser's axis at place 1 -> (P, *rest, H, W); ``maps`` tells the pairs.

        Without an axis: (P, *rest, H, W) -> the same shape.
        """

    @property
    def targets(self) -> Literal["present", "all"]:
        """Which classes' maps must be extracted: those of the image's label, or every class."""
        return "present"

    def __call__(self, maps: Maps) -> Maps:
        """The stack without the fuser's axis."""
        if self.axis is None:
            return maps.replace(self.fuse(self._normalised(maps.values), maps), maps.axes)
        if self.axis not in maps.axes:
            left = list(maps.axes)
            raise CamForgeError(f"fuser {self.name!r}: no axis {self.axis!r} is left to fuse; left are {left}")
        place = maps.axes.index(self.axis)
        values = self._normalised(maps.values.movedim(1 + place, 1))
        return maps.replace(self.fuse(values, maps), maps.axes[:place] + maps.axes[place + 1 :])

    def _normalised(self, values: Tensor) -> Tensor:
        return max_normalise(values) if self.normalise == "max" else values
