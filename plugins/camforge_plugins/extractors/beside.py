"""Maps of several extractors in one stack."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from torch import Tensor

from camforge.api import Capture, Extractor, ModelLayers, Needs
from camforge_plugins.extractors.nested import refuse_augmented


class Beside(Extractor):
    """Several extractors of one network side by side: their maps stand along the layer axis, for a fuser to join.

    All read the same pass; scales and mirrors are this extractor's.
    """

    name = "beside"
    extractors: Annotated[tuple[Extractor, ...], Field(min_length=1)]
    """Whose maps stand side by side, in this order."""

    @field_validator("extractors")
    @classmethod
    def _are_plain(cls, extractors: tuple[Extractor, ...]) -> tuple[Extractor, ...]:
        return tuple(refuse_augmented(extractor) for extractor in extractors)

    def needs(self, model_layers: ModelLayers) -> Needs:
        needs, *others = (extractor.needs(model_layers) for extractor in self.extractors)
        for other in others:
            needs = needs | other
        return needs

    def extract(self, capture: Capture) -> list[Tensor]:
        return [maps for extractor in self.extractors for maps in extractor.extract(capture)]
