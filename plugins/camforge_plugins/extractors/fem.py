"""FEM."""

from typing import Annotated

from pydantic import Field
from torch import Tensor

from camforge.api import Capture, LayerExtractor


class FEM(LayerExtractor):
    """Feature explanation method: sum_k mean(A_k) [A_k >= mean + sigmas * std] (Fuad et al. 2020).

    It does not depend on the target.
    """

    name = "fem"

    sigmas: Annotated[float, Field(ge=0)] = 2.0
    """How many standard deviations above its channel's mean a place must be."""

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        activations = capture.activations[layer]
        flat = activations.flatten(2)
        mean = flat.mean(2, keepdim=True)
        std = (flat - mean).square().mean(2, keepdim=True).sqrt()
        found = ((flat >= mean + self.sigmas * std) * mean).sum(1)
        return found.reshape(activations.shape[0], *activations.shape[2:])
