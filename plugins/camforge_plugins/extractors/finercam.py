"""Finer-CAM."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field, field_validator
from torch import Tensor

from camforge.api import Capture, Extractor, GradientExtractor, ModelLayers, Needs
from camforge_plugins.extractors.gradcam import GradCAM
from camforge_plugins.extractors.nested import refuse_augmented


class FinerCAM(Extractor):
    """Finer-CAM: a gradient extractor of y_c - gamma * mean of similar classes' logits (Zhang et al. 2025).

    The similar classes are those whose logits are nearest to the target's.
    """

    name = "finercam"

    base: Extractor = GradCAM()
    """The gradient extractor whose score is replaced."""
    gamma: Annotated[float, Field(ge=0)] = 0.6
    """How much of the similar classes is taken away."""
    references: Annotated[int, Field(ge=1)] = 3
    """How many similar classes; fewer where there are not as many."""

    @field_validator("base")
    @classmethod
    def _has_gradients(cls, base: Extractor) -> Extractor:
        if not isinstance(base, GradientExtractor):
            raise ValueError(f"{base.name} reads no gradients: give a gradient extractor such as gradcam or layercam")
        return refuse_augmented(base)

    def needs(self, model_layers: ModelLayers) -> Needs:
        return replace(self.base.needs(model_layers), score=self.contrast)

    def contrast(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(P, K) logits, (P,) targets -> (P,): the target's logit less gamma times the references' mean."""
        own = logits.gather(1, targets[:, None])
        if logits.shape[1] == 1:
            return own.squeeze(1)
        distance = (logits.detach() - own.detach()).abs().scatter(1, targets[:, None], float("inf"))
        nearest = distance.topk(min(self.references, logits.shape[1] - 1), dim=1, largest=False).indices
        return own.squeeze(1) - self.gamma * logits.gather(1, nearest).mean(1)

    def extract(self, capture: Capture) -> list[Tensor]:
        return self.base.extract(capture)
