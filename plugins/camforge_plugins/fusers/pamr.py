"""Maps that follow the photograph's edges."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from camforge.api import Fuser, Maps

from .photographs import photographs_of

Steps = Annotated[int, Field(ge=1, le=128)]
NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


class PAMR(Fuser):
    """Pixel-adaptive mask refinement (Araslanov & Roth, CVPR 2020, sec. 4.2): maps smoothed along alike pixels.

    Each pixel becomes the mean of its neighbours at every dilation, weighted by a softmax over
    -|x_i - x_j| / (width * sigma_i), the mean over the colour channels, where sigma_i is the deviation of the colours
    around pixel i; ``iterations`` times. As in the authors' code, sigma_i is that of nine values per dilation, pixel i
    itself among them every time. It reduces no axis: it stands where the maps are worth refining, usually last.
    """

    name = "pamr"
    axis: None = None
    dilations: Annotated[tuple[Steps, ...], Field(min_length=1)] = (1, 2, 4, 8, 12, 24)
    """Distances of the neighbours that a pixel is compared with, in pixels."""
    iterations: Annotated[int, Field(ge=1)] = 10
    """How often the maps are averaged over like neighbours."""
    width: Annotated[float, Field(gt=0)] = 0.1
    """Of the colour difference at which neighbours count as unlike, in standard deviations."""

    def fuse(self, values: Tensor, maps: Maps) -> Tensor:
        weights = self.affinity(photographs_of(maps, self.name))
        if not torch.equal(maps.images, torch.arange(weights.shape[1], device=maps.images.device)):
            weights = weights[:, maps.images]
        shape = values.shape
        values = values.flatten(1, -3) if values.dim() > 3 else values[:, None]
        for _ in range(self.iterations):
            refined = torch.zeros_like(values)
            for place, shifted in enumerate(self._shifted(values)):
                refined.addcmul_(shifted, weights[place, :, None].to(shifted))
            values = refined
        return values.reshape(shape)

    def affinity(self, photographs: Tensor) -> Tensor:
        """(B, 3, H, W) -> (N, B, H, W): the weight of each neighbour, which add up to one."""
        colours = photographs.float()
        shifted = self._shifted(colours)
        # from differences to the pixel, of which its own, once per dilation, are 0
        total, squares = torch.zeros_like(colours), torch.zeros_like(colours)
        for neighbour in shifted:
            difference = neighbour - colours
            total += difference
            squares.addcmul_(difference, difference)
        n = len(shifted) + len(self.dilations)
        deviation = ((squares - total.square() / n).clamp(min=0) / (n - 1)).sqrt()
        scale = 1 / (1e-8 + self.width * deviation)
        distances = [((neighbour - colours).abs_().mul_(scale)).mean(1) for neighbour in shifted]
        return torch.stack(distances).neg_().softmax(0)

    def _shifted(self, values: Tensor) -> list[Tensor]:
        """The neighbours' values (…, H, W), one tensor per dilation and direction; the border repeats outwards."""
        height, width = values.shape[-2:]
        shifted = []
        for step in self.dilations:
            padded = pad(values, (step, step, step, step), mode="replicate")
            shifted += [
                padded[..., step * (1 + y) : step * (1 + y) + height, step * (1 + x) : step * (1 + x) + width]
                for y, x in NEIGHBOURS
            ]
        return shifted
