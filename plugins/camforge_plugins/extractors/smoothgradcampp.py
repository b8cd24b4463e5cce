"""Smooth Grad-CAM++."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import Capture, GradientExtractor


class SmoothGradCAMPlusPlus(GradientExtractor):
    """Smooth Grad-CAM++: ReLU(sum_k w_k A_k) with derivatives averaged over noisy images (Omeiza et al. 2019).

    w_k = sum_ij alpha_ij ReLU(mean g_ij), alpha_ij = mean g^2 / (2 mean g^2 + sum_ab A_ab mean g^3): the numerator is
    the second derivative as in Grad-CAM++, where the paper prints the first. A is the activation of the image without
    noise. The noise is the same for every image, so that maps do not depend on batches.
    """

    name = "smoothgradcampp"

    samples: Annotated[int, Field(ge=1)] = 4
    """Noisy images, one forward and backward each."""
    std: Annotated[float, Field(gt=0)] = 0.3
    """Standard deviation of the noise, in units of the normalised image."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the random numbers."""

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        """One sample's map: without noise it is Grad-CAM++."""
        return self._map(activations, [gradients, gradients**2, gradients**3])

    def extract(self, capture: Capture) -> list[Tensor]:
        source = torch.Generator().manual_seed(self.seed)
        layers = capture.resolve(self.layers)
        powers = {layer: [torch.zeros((), device=capture.inputs.device)] * 3 for layer in layers}
        for _ in range(self.samples):
            noise = self.std * torch.randn(capture.inputs.shape[1:], generator=source)
            noisy = capture.rerun.again(capture.inputs + noise.to(capture.inputs))
            for layer in layers:
                g = self.truncated(noisy.gradients[layer])
                powers[layer] = [total + g**p / self.samples for p, total in enumerate(powers[layer], start=1)]
        return self.merged([self._map(capture.activations[layer], powers[layer]) for layer in layers])

    def _map(self, activations: Tensor, powers: list[Tensor]) -> Tensor:
        first, second, third = powers
        total = activations.flatten(2).sum(2)[(...,) + (None,) * (activations.dim() - 2)]
        below = 2 * second + total * third
        weights = torch.where(below == 0, torch.zeros_like(below), second / below * first.relu())
        return torch.einsum("pc,pc...->p...", weights.flatten(2).sum(2), activations).relu()
