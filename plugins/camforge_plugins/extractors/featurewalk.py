"""Maps carried along the affinity of the network's own features."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.nn.functional import normalize

from camforge.api import Capture, Extractor, Layers, ModelLayers, Needs, resize
from camforge_plugins.extractors.gradcam import GradCAM
from camforge_plugins.extractors.nested import refuse_augmented


class FeatureWalk(Extractor):
    """A random walk of another extractor's map over places whose features are alike, in the spirit of Region-CAM.

    The features of each layer are L2-normalised per place, brought to the finest of their grids and concatenated;
    A = ReLU(F^T F)^power is balanced to doubly stochastic (Sinkhorn & Knopp 1967), made symmetric, its rows sum to 1;
    the map at that grid is multiplied with A ``steps`` times. Region-CAM's own propagation step is another one.
    """

    name = "featurewalk"

    base: Extractor = GradCAM()
    """The extractor whose maps walk."""
    features: Layers = "stages"
    """Layers whose features say which places are alike: best an early and a middle one."""
    power: Annotated[float, Field(gt=0)] = 8.0
    """The likeness of two places is raised to it: the higher, the fewer places a walk reaches."""
    steps: Annotated[int, Field(ge=1)] = 2
    """How often the map is multiplied with A."""
    rounds: Annotated[int, Field(ge=0)] = 6
    """Of Sinkhorn's balancing."""

    _base_is_plain = field_validator("base")(refuse_augmented)

    def needs(self, model_layers: ModelLayers) -> Needs:
        return self.base.needs(model_layers) | Needs(activations=model_layers.resolve(self.features))

    def extract(self, capture: Capture) -> list[Tensor]:
        layers = [capture.activations[name] for name in capture.resolve(self.features)]
        grid = max((layer.shape[2:] for layer in layers), key=lambda shape: shape.numel())
        walk = self._affinity(layers, grid)
        return [self._walked(maps, walk, grid) for maps in self.base.extract(capture)]

    def _affinity(self, layers: list[Tensor], grid: torch.Size) -> Tensor:
        """(P, C_l, h_l, w_l) of each layer -> (P, HW, HW), rows sum to 1."""
        parts = [normalize(resize(normalize(layer), grid)) for layer in layers]
        features: Tensor = normalize(torch.cat(parts, 1).flatten(2))
        affinity = (features.transpose(1, 2) @ features).relu().pow(self.power)
        for _ in range(self.rounds):
            affinity = _rows_to_one(affinity)
            affinity = _rows_to_one(affinity.transpose(1, 2)).transpose(1, 2)
        return _rows_to_one((affinity + affinity.transpose(1, 2)) / 2)

    def _walked(self, maps: Tensor, walk: Tensor, grid: torch.Size) -> Tensor:
        """(P, h, w) -> (P, H, W) at the features' grid."""
        values = resize(maps, grid).flatten(1)[:, :, None]
        for _ in range(self.steps):
            values = walk @ values
        return values.reshape(-1, *grid)


def _rows_to_one(matrix: Tensor) -> Tensor:
    return matrix / matrix.sum(2, keepdim=True).clamp(min=torch.finfo(matrix.dtype).tiny)
