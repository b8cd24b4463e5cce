"""Guided Grad-CAM."""

from pydantic import field_validator
from torch import Tensor

from camforge.api import Capture, Extractor, ModelLayers, Needs, resize
from camforge_plugins.extractors.gradcam import GradCAM
from camforge_plugins.extractors.guidedbackprop import Channels, guided_gradients, one_value
from camforge_plugins.extractors.nested import refuse_augmented


class GuidedGradCAM(Extractor):
    """Guided Grad-CAM: the rectified, upsampled Grad-CAM times guided backpropagation (Selvaraju et al. 2017).

    Each layer's map is upsampled bilinearly to the image; the product is taken pixel by pixel in every colour.
    """

    name = "guidedgradcam"

    base: Extractor = GradCAM()
    """The extractor whose maps say where."""
    channels: Channels = "max"
    """How three colours become one value: the largest absolute one, or their sum."""

    _base_is_plain = field_validator("base")(refuse_augmented)

    def needs(self, model_layers: ModelLayers) -> Needs:
        return self.base.needs(model_layers)

    def extract(self, capture: Capture) -> list[Tensor]:
        edges = one_value(guided_gradients(capture), self.channels)
        return [resize(maps.relu(), edges.shape[1:]) * edges for maps in self.base.extract(capture)]
