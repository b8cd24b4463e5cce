"""The maps of a network that classifies places."""

from __future__ import annotations

from torch import Tensor

from camforge.api import CamForgeError, Capture, Extractor, ModelLayers, Needs
from camforge_plugins.extractors.outputs import of_targets, refuse_functions


class Pixels(Extractor):
    """The target's probability against the background at every place, of a network that classifies places.

    The layer's output is read as logits (B, 1 + K, h, w), the background's first, as the trainer ``pixels`` makes them:
    the map is sigmoid(l_target - l_background). Classes of one image meet in the fuser ``compete``. Of a layer
    (B, 1, h, w), as the trainer ``saliency`` makes it, the map is sigmoid(l), whichever the target.
    """

    name = "pixels"
    layer: str = "pixels"
    """The module that classifies places."""

    def needs(self, model_layers: ModelLayers) -> Needs:
        return Needs(activations=model_layers.resolve((self.layer,)), many_targets=True)

    def extract(self, capture: Capture) -> list[Tensor]:
        (layer,) = capture.resolve((self.layer,))
        places, outputs = capture.activations[layer], capture.logits.shape[-1]
        if places.shape[1] == 1:
            return [places[:, 0].sigmoid()]
        if places.shape[1] != 1 + outputs:
            found = f"{places.shape[1]} channels, not one for the background and {outputs} for the outputs"
            raise CamForgeError(f"pixels: layer {layer!r} has {found}")
        refuse_functions(capture, self.name)
        return [(of_targets(places, 1 + capture.targets) - places[:, 0]).sigmoid()]
