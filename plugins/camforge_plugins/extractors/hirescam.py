"""HiResCAM."""

from torch import Tensor

from camforge.api import GradientExtractor


class HiResCAM(GradientExtractor):
    """HiResCAM: sum_k g_k * A_k, element by element (Draelos and Carin 2020).

    Its authors keep negative values, which speak against the class; many libraries set them to 0 (``rectify``). Where
    maps of several layers or branches are joined, the two differ even if negative values are dropped at the end.
    """

    name = "hirescam"
    rectify: bool = False
    """Set negative values to 0."""

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        found = (gradients * activations).sum(1)
        return found.relu() if self.rectify else found
