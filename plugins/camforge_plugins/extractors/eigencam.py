"""Eigen-CAM."""

from torch import Tensor

from camforge.api import Capture, LayerExtractor
from camforge_plugins.extractors.components import first_component


class EigenCAM(LayerExtractor):
    """Eigen-CAM: the activation projected on its first right singular vector (Muhammad and Yeasin 2020).

    It does not depend on the target.
    """

    name = "eigencam"

    center: bool = False
    """Subtract each channel's mean first, as pytorch-grad-cam does; the paper does not."""

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        return first_component(capture.activations[layer], self.center)
