"""Grad-CAM."""

from torch import Tensor

from camforge.api import GradientExtractor, spatial_mean


class GradCAM(GradientExtractor):
    """Grad-CAM: ReLU(sum_k w_k A_k), w_k the spatial mean of dy/dA_k (Selvaraju et al. 2017, eq. 1-2)."""

    name = "gradcam"

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return (spatial_mean(gradients) * activations).sum(1).relu()
