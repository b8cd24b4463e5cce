"""The maps of local prototypes."""

from __future__ import annotations

from torch import Tensor

from camforge.api import CamForgeError, Capture, Extractor, ModelLayers, Needs
from camforge_plugins.extractors.outputs import of_targets, refuse_functions


class LPCAM(Extractor):
    """LPCAM: ReLU(mean cosine to the target's prototypes - mean cosine to those of its context).

    Chen and Sun, "Extracting Class Activation Maps from Non-Discriminative Features as well", CVPR 2023. The
    trainer ``lpcam`` finds the prototypes and puts their maps (B, K, h, w) into the layer that is read here.
    """

    name = "lpcam"
    layer: str = "prototypes"
    """The module that returns the difference of similarities at every place."""

    def needs(self, model_layers: ModelLayers) -> Needs:
        return Needs(activations=model_layers.resolve((self.layer,)), many_targets=True)

    def extract(self, capture: Capture) -> list[Tensor]:
        (layer,) = capture.resolve((self.layer,))
        maps, outputs = capture.activations[layer], capture.logits.shape[-1]
        if maps.shape[1] != outputs:
            raise CamForgeError(
                f"lpcam: layer {layer!r} has {maps.shape[1]} channels, not one for each of {outputs} outputs"
            )
        refuse_functions(capture, self.name)
        return [of_targets(maps, capture.targets).relu()]
