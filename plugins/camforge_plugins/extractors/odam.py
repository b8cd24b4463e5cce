"""ODAM."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import GradientExtractor


class ODAM(GradientExtractor):
    """ODAM: ReLU(sum_k w_k A_k), w_k the smoothed gradient of a detected box's score, by place (Zhao and Chan 2023).

    ``select=DetectedBox(box, label)`` of ``camforge.explanation.targets`` makes the score, class or coordinate of a box
    what is explained; other outputs have such maps too. Smoothing is by a Gaussian over the layer's places.
    """

    name = "odam"

    sigma: Annotated[float, Field(ge=0)] = 1.0
    """The Gaussian's standard deviation in cells of the layer; 0: gradients as they are, as in the authors' code."""

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return (self._smoothed(gradients) * activations).sum(1).relu()

    def _smoothed(self, values: Tensor) -> Tensor:
        """(P, C, h, w), each map convolved along both axes, with its edge repeated outwards."""
        for axis in range(2, values.dim()) if self.sigma else ():
            values = torch.tensordot(values, self._blur(values.shape[axis], values), dims=([axis], [1])).movedim(
                -1, axis
            )
        return values

    def _blur(self, n: int, like: Tensor) -> Tensor:
        """(n, n): what each place takes of every other along one axis; places beyond the edge are those at it."""
        reach = max(1, round(4 * self.sigma))
        steps = torch.arange(-reach, reach + 1, device=like.device)
        kernel = torch.exp(-((steps / self.sigma) ** 2) / 2).to(like)
        places = (torch.arange(n, device=like.device)[:, None] + steps).clamp(0, n - 1)
        return like.new_zeros(n, n).scatter_add(1, places, (kernel / kernel.sum()).expand(n, -1))
