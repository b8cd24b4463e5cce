"""XGrad-CAM."""

import torch
from torch import Tensor

from camforge.api import GradientExtractor


class XGradCAM(GradientExtractor):
    """XGrad-CAM: ReLU(sum_k w_k A_k), w_k = sum_ij g_ij A_ij / sum_ab A_ab (Fu et al. 2020).

    A channel whose activations sum to zero weighs nothing.
    """

    name = "xgradcam"

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        total = activations.flatten(2).sum(2)
        shares = (gradients * activations).flatten(2).sum(2)
        weights = torch.where(total == 0, torch.zeros_like(total), shares / total)
        return torch.einsum("pc,pc...->p...", weights, activations).relu()
