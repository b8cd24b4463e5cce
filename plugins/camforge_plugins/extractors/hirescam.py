"""HiResCAM."""

from torch import Tensor

from camforge.api import GradientExtractor


class HiResCAM(GradientExtractor):
    """HiResCAM: sum_k g_k * A_k, element by element and signed (Draelos and Carin 2020)."""

    name = "hirescam"

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        return (gradients * activations).sum(1)
