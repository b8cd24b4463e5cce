"""Refine-CAM."""

from pydantic import field_validator
from torch import Tensor

from camforge.api import Capture, Extractor, LayerExtractor, ModelLayers, Needs, minmax_normalise, resize
from camforge_plugins.extractors.gradcampp import GradCAMPlusPlus
from camforge_plugins.extractors.nested import refuse_augmented


class RefineCAM(Extractor):
    """Refine-CAM: the product of several layers' maps, each scaled to [0, 1] and upsampled (Domeniconi et al. 2026)."""

    name = "refinecam"

    base: Extractor = GradCAMPlusPlus(layers="stages")
    """The extractor whose layers are multiplied, unmerged."""

    @field_validator("base")
    @classmethod
    def _leaves_layers_apart(cls, base: Extractor) -> Extractor:
        if not isinstance(base, LayerExtractor) or base.merge is not None:
            raise ValueError(f"{base.name} gives one map: give an extractor that leaves several layers unmerged")
        return refuse_augmented(base)

    def needs(self, model_layers: ModelLayers) -> Needs:
        return self.base.needs(model_layers)

    def extract(self, capture: Capture) -> list[Tensor]:
        maps = self.base.extract(capture)
        size = max((m.shape[1:] for m in maps), key=lambda shape: shape.numel())
        product = maps[0].new_ones(maps[0].shape[0], *size)
        for values in maps:
            product = product * resize(minmax_normalise(values.relu(), len(size)), size)
        return [product]
