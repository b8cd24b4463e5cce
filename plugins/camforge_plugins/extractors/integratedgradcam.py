"""Integrated Grad-CAM."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Capture, GradientExtractor
from camforge_plugins.extractors.gradcam import GradCAM


class IntegratedGradCAM(GradientExtractor):
    """Integrated Grad-CAM: the mean of Grad-CAMs along the line from a baseline to the image (Sattarzadeh et al. 2021).

    Image t of n is baseline + t / n (image - baseline), t = 0 … n - 1, each with its own activations and gradients and
    a ReLU, as in the authors' code.
    """

    name = "integratedgradcam"

    steps: Annotated[int, Field(ge=1)] = 50
    """n: one forward and backward each."""
    baseline: float = 0.0
    """The value of every pixel of the baseline, in units of the normalised image: 0 is the mean colour."""

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        """One step's map: Grad-CAM."""
        return GradCAM().cam(activations, gradients)

    def extract(self, capture: Capture) -> list[Tensor]:
        layers = capture.resolve(self.layers)
        totals = [torch.zeros((), device=capture.inputs.device)] * len(layers)
        for step in range(self.steps):
            between = capture.rerun.again(torch.lerp(self._start(capture), capture.inputs, step / self.steps))
            maps = [self.cam(between.activations[name], self.truncated(between.gradients[name])) for name in layers]
            totals = [total + found / self.steps for total, found in zip(totals, maps, strict=True)]
        return self.merged(totals)

    def _start(self, capture: Capture) -> Tensor:
        return torch.full_like(capture.inputs, self.baseline)
