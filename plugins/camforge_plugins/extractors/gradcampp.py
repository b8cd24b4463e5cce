"""Grad-CAM++."""

import torch
from torch import Tensor

from camforge.api import GradientExtractor


class GradCAMPlusPlus(GradientExtractor):
    """Grad-CAM++: ReLU(sum_k w_k A_k), w_k = sum_ij alpha_ij ReLU(g_ij) (Chattopadhay et al. 2018, eq. 19).

    alpha_ij = g_ij^2 / (2 g_ij^2 + sum_ab A_ab g_ij^3) with g the gradient of the logit; the factor exp(y), which the
    derivation's exponential score would put before every weight of an image, is left out.
    """

    name = "gradcampp"

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        total = activations.flatten(2).sum(2)[(...,) + (None,) * (activations.dim() - 2)]
        below = 2 + total * gradients  # alpha = 1 / (2 + sum A * g): g^2 cancels, so that small g do not underflow
        weights = torch.where(below == 0, torch.zeros_like(below), gradients.relu() / below)
        return torch.einsum("pc,pc...->p...", weights.flatten(2).sum(2), activations).relu()
