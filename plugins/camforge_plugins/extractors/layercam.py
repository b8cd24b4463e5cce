"""Layer-CAM."""

from torch import Tensor

from camforge.api import GradientExtractor


class LayerCAM(GradientExtractor):
    """Layer-CAM: ReLU(sum_k ReLU(dy/dA_k) * A_k) (Jiang et al. 2021; Dong et al. 2023, eq. 4-5).

    Its authors merge several layers by the maximum of tanh(2 * cam): ``merge="tanh_max"``.
    """

    name = "layercam"

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return (gradients.relu() * activations).sum(1).relu()
