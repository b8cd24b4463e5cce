"""Maps carried along affinities that were learned."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, field_validator
from torch import Tensor

from camforge.api import Capture, Extractor, ModelLayers, Needs, resize
from camforge_plugins.extractors.cam import CAM
from camforge_plugins.extractors.nested import refuse_augmented
from camforge_plugins.neighbours import Offset, distances, half_disc, shifted


class AffinityWalk(Extractor):
    """A random walk of another extractor's map along the affinities that the trainer ``affinity`` learned.

    Ahn and Kwak, AffinityNet, CVPR 2018, sec. 3.3: a place is left for itself or one nearer than ``radius``,
    with chances proportional to exp(-|f_i - f_j|)^power; the map becomes the mean over where ``steps`` steps lead. The
    paper walks 256 steps. Maps of the background do not walk beside those of the classes.
    """

    name = "affinitywalk"

    base: Extractor = CAM()
    """The extractor whose maps walk."""
    layer: str = "affinity"
    """The module that returns the features of places (B, D, h, w)."""
    radius: Annotated[int, Field(ge=2)] = 5
    """Of one step, in places of that layer; as it was trained."""
    power: Annotated[float, Field(gt=0)] = 8.0
    """The higher, the fewer places count as alike."""
    steps: Annotated[int, Field(ge=1)] = 256
    """Of the walk; each leads a place further by at most ``radius``."""

    _base_is_plain = field_validator("base")(refuse_augmented)

    def needs(self, model_layers: ModelLayers) -> Needs:
        return self.base.needs(model_layers) | Needs(activations=model_layers.resolve((self.layer,)))

    def extract(self, capture: Capture) -> list[Tensor]:
        (layer,) = capture.resolve((self.layer,))
        half = half_disc(self.radius)
        offsets = [(0, 0), *half, *((-y, -x) for y, x in half)]
        chances = (-self.power * self.apart(capture.activations[layer], offsets)).softmax(1)
        return [self._walked(self.start(maps, capture), chances, offsets) for maps in self.base.extract(capture)]

    def start(self, maps: Tensor, capture: Capture) -> Tensor:
        """Maps (P, h, w) at the size of the layer (P, H, W), as the walk begins with them."""
        (layer,) = capture.resolve((self.layer,))
        height, width = capture.activations[layer].shape[-2:]
        return resize(maps, (height, width))

    def apart(self, values: Tensor, offsets: list[Offset]) -> Tensor:
        """What the layer returned (P, D, h, w) -> how far each place is from those at the offsets, (P, O, h, w)."""
        return distances(values, offsets)

    def _walked(self, values: Tensor, chances: Tensor, offsets: list[Offset]) -> Tensor:
        """(P, H, W) and the chance of each step (P, O, H, W) -> (P, H, W)."""
        for _ in range(self.steps):
            values = (chances * torch.stack([shifted(values, offset, 0) for offset in offsets], 1)).sum(1)
        return values
