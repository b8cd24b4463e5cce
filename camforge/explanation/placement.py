"""Where a photograph lies in what its preparation made of it, measured; and maps brought back to the photograph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from camforge.types import CamForgeError

Prepare = Callable[[Image.Image], Tensor]
"""A photograph -> the model's input (3, H, W)."""
_SMALLEST = 64  # pixels: smaller photographs are measured enlarged, since a ramp needs room
_LEVELS = 254  # of a ramp, one less than a byte has: its rounding is spread over two
_NARROWEST = 50  # times: a longer strip would be resized to gigabytes


@dataclass(frozen=True)
class Placement:
    """Along each axis (y, x) the network's pixel edge i lies at ``start + step * i`` in the photograph.

    size  (h, w) of the photograph;  given  (H, W) of the network's input
    """

    size: tuple[int, int]
    given: tuple[int, int]
    start: tuple[float, float]
    step: tuple[float, float]

    def bring_back(self, maps: Tensor) -> Tensor:
        """Maps (T, H, W) of the input -> (T, h, w) of the photograph, bilinear; zero where the network saw nothing."""
        rows, columns = (self._weights(axis, maps) for axis in (0, 1))
        return rows @ maps @ columns.T

    def scaled(self, size: tuple[int, int]) -> Placement:
        """The same place in the photograph resized to ``size`` (h, w)."""
        factors = (size[0] / self.size[0], size[1] / self.size[1])
        start, step = ((pair[0] * factors[0], pair[1] * factors[1]) for pair in (self.start, self.step))
        return Placement(size, self.given, start, step)

    def _weights(self, axis: int, like: Tensor) -> Tensor:
        """(h, H): how much each pixel of the photograph takes of each of the input."""
        centres = torch.arange(self.size[axis], device=like.device, dtype=torch.float64) + 0.5
        places = (centres - self.start[axis]) / self.step[axis]  # edges of the input lie at 0 and H
        inside = (places >= -1e-6) & (places <= self.given[axis] + 1e-6)
        places = (places - 0.5).clamp(0, self.given[axis] - 1)
        near = (places[:, None] - torch.arange(self.given[axis], device=like.device)).abs()
        return ((1 - near).clamp(min=0) * inside[:, None]).to(like.dtype)


def measure(prepare: Prepare, size: tuple[int, int]) -> Placement:
    """How ``prepare`` places a photograph of ``size`` (h, w): it is shown ramps, and where their values go is read.

    Resizing, cropping, padding, mirroring and normalising are understood, whoever wrote them. Raises CamForgeError for
    what is not the same for every photograph or bends it.
    """
    if max(size) > _NARROWEST * min(size):
        raise CamForgeError(f"a photograph of {size[1]}x{size[0]} pixels is too narrow to be prepared")
    factor = -(-_SMALLEST // min(size))
    height, width = (factor * side for side in size)
    black, white = (prepare(Image.new("RGB", (width, height), (value,) * 3)).double() for value in (0, 255))
    span = (white - black).mean(0)
    seen = span.abs() > 1e-3 * span.abs().max()
    shown = [prepare(_ramp(height, width, axis)).double() for axis in (0, 1, 1)]
    if not all(values.shape == black.shape for values in shown) or not torch.equal(shown[1], shown[2]):
        raise CamForgeError("the preparation is not the same each time: its maps cannot be placed")
    values = [(each - black).mean(0) / torch.where(seen, span, 1) for each in shown]
    lines = [_line(values[axis], seen, axis, side, factor) for axis, side in ((0, height), (1, width))]
    given = black.shape[-2], black.shape[-1]
    return Placement(size, given, (lines[0][0], lines[1][0]), (lines[0][1], lines[1][1]))


def _line(values: Tensor, seen: Tensor, axis: int, side: int, factor: int) -> tuple[float, float]:
    """Start and step of the straight line that says where in the photograph each row or column comes from."""
    usable = seen & (values > 0.03) & (values < 0.97)  # where a filter reaches over the border a ramp is bent
    count = usable.sum(1 - axis)
    mean = torch.where(usable, values, 0).sum(1 - axis) / count.clamp(min=1)
    rows = count >= max(1, int(count.max()) // 2)
    if rows.sum() < 2:
        raise CamForgeError("the preparation leaves too little of a photograph to tell where its maps belong")
    x = torch.arange(len(mean), dtype=torch.float64)[rows] + 0.5
    y = (mean[rows] * 255 / _LEVELS * (side - 1) + 0.5) / factor
    step = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    start = y.mean() - step * x.mean()
    spread = (values - mean.unsqueeze(1 - axis)).abs()[usable].max() * side / factor
    if max(float((y - start - step * x).abs().max()), float(spread)) > max(3.0, 0.03 * side / factor) or step == 0:
        raise CamForgeError("the preparation bends or turns photographs: its maps cannot be placed")
    return float(start), float(step)


def _ramp(height: int, width: int, axis: int) -> Image.Image:
    """Black to white down or across; what 8 bits round off is spread over the other axis, so that a mean has it."""
    along, across = (height, width) if axis == 0 else (width, height)
    rise = np.linspace(0, _LEVELS, along, dtype=np.float32)
    spread = np.linspace(0, 7, across, endpoint=False, dtype=np.float32) % 1
    values = (rise[:, None] + spread if axis == 0 else spread[:, None] + rise).astype(np.uint8)
    return Image.fromarray(values).convert("RGB")
