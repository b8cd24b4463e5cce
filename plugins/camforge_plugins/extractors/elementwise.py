"""Element-wise Grad-CAM."""

from torch import Tensor

from camforge.api import GradientExtractor


class ElementWiseGradCAM(GradientExtractor):
    """Element-wise Grad-CAM: sum_k ReLU(g_k * A_k) (pytorch-grad-cam's GradCAMElementWise)."""

    name = "elementwise"

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return (gradients * activations).relu().sum(1)
