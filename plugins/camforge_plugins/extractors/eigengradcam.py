"""EigenGrad-CAM."""

from torch import Tensor

from camforge.api import GradientExtractor
from camforge_plugins.extractors.components import first_component


class EigenGradCAM(GradientExtractor):
    """EigenGrad-CAM: Eigen-CAM of gradient times activation, which tells targets apart (pytorch-grad-cam's)."""

    name = "eigengradcam"

    center: bool = False
    """Subtract each channel's mean first, as pytorch-grad-cam does."""

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return first_component(gradients * activations, self.center)
