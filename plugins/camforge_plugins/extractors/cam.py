"""Class activation mapping."""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.api import CamForgeError, Capture, Extractor, ModelLayers, Needs


class CAM(Extractor):
    """CAM: sum_k w[c,k] A_k, signed and without the bias (Zhou et al. 2016, eq. 2).

    Needs a network whose last stage is followed by global average pooling and one linear layer, nothing else.
    """

    name = "cam"

    def needs(self, model_layers: ModelLayers) -> Needs:
        return Needs(activations=model_layers.resolve("last"), many_targets=True)

    def extract(self, capture: Capture) -> list[Tensor]:
        (layer,) = capture.resolve("last")
        head = capture.head
        if head is None or head.layer != layer:
            raise CamForgeError(
                f"cam: layer {layer!r} is not followed by just global average pooling and one linear layer; use gradcam"
            )
        if not capture.rank.plain:
            raise CamForgeError("cam: a target must be an output of the linear layer, not a function of the logits")
        return [torch.einsum("pc,pc...->p...", head.weight[capture.targets], capture.activations[layer])]
