"""KPCA-CAM."""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from camforge.api import CamForgeError, Capture, LayerExtractor
from camforge_plugins.extractors.components import eigh, with_sign

PLACES = 4096  # the kernel matrix has this many rows at most: 128 MiB per image


class KPCACAM(LayerExtractor):
    """KPCA-CAM: the first component of a kernel PCA of the activation's places (Karmani et al. 2024).

    It does not depend on the target. The kernels are scikit-learn's, on features without their mean. They are taken
    in float64, less their value between equal places, which centring removes anyway: where features hardly differ from
    place to place, everything else would be rounding.
    """

    name = "kpcacam"

    kernel: Literal["sigmoid", "rbf", "poly", "linear"] = "sigmoid"
    """Of the kernel PCA."""
    gamma: Annotated[float, Field(gt=0)] | None = None
    """Scale of the kernel; None: 1 / channels."""
    degree: Annotated[int, Field(ge=1)] = 3
    """Degree of the polynomial kernel."""

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        activations = capture.activations[layer]
        rows = activations.flatten(2).transpose(1, 2).double()  # (P, h * w, C)
        if rows.shape[1] > PLACES:
            raise CamForgeError(f"kpcacam: layer {layer!r} has {rows.shape[1]} places, over {PLACES}: name a deeper")
        kernel = self._kernel(rows - rows.mean(1, keepdim=True))
        means = kernel.mean(1, keepdim=True)
        strengths, vectors = eigh(kernel - means - means.transpose(1, 2) + means.mean(2, keepdim=True))
        found = vectors[..., -1] * strengths[..., -1:].clamp(min=0).sqrt()
        return with_sign(found, rows.mean(2)).to(activations).reshape(activations.shape[0], *activations.shape[2:])

    def _kernel(self, rows: Tensor) -> Tensor:
        """(P, N, C) -> (P, N, N), less the kernel's value where ``products`` or the distance is 0."""
        gamma = 1 / rows.shape[2] if self.gamma is None else self.gamma
        products = rows @ rows.transpose(1, 2)
        if self.kernel == "rbf":
            norms = products.diagonal(dim1=1, dim2=2)
            return torch.expm1(-gamma * (norms[:, :, None] + norms[:, None, :] - 2 * products))
        if self.kernel == "poly":  # (1 + u)^d - 1 = u (1 + (1 + u) + … + (1 + u)^(d - 1))
            return gamma * products * sum((1 + gamma * products) ** power for power in range(self.degree))
        if self.kernel == "linear":
            return products
        slope, at_zero = torch.tanh(gamma * products), math.tanh(1)  # tanh(u + 1) - tanh(1), by the addition theorem
        return slope * (1 - at_zero**2) / (1 + slope * at_zero)
