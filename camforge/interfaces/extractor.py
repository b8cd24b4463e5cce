"""Extractors: from what one pass captured to maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from camforge.capture import Capture, Needs, Probe
from camforge.interfaces.base import Plugin
from camforge.maps import merge_layers, truncate

Layers = Literal["last", "stages"] | tuple[str, ...]
LayerMerge = Literal["sum", "max", "tanh_max"]


class Extractor(Plugin, ABC):
    """An extractor reads one capture and returns one map per layer.

    class FeatureNorm(Extractor):
        \"""The norm of the feature vector at each place of the last stage.\"""
        name = "feature_norm"

        def needs(self, probe):
            return Needs(activations=probe.resolve("last"))

        def extract(self, capture):
            return [capture.activations[layer].norm(dim=1) for layer in capture.resolve("last")]
    """

    kind: ClassVar[str] = "extractor"

    def needs(self, probe: Probe) -> Needs:
        """What must be captured. The needs of all extractors are joined before the one pass."""
        del probe
        return Needs()

    @abstractmethod
    def extract(self, capture: Capture) -> list[Tensor]:
        """One map (P, h, w) per layer for the capture's P (image, target) pairs, raw, at the layer's own size."""


class GradientExtractor(Extractor, ABC):
    """An extractor whose maps are a function of a layer's activation and its gradient; layers and truncation come free.

    class LayerCAM(GradientExtractor):
        \"""Layer-CAM: ReLU(sum_k ReLU(dy/dA_k) * A_k) (Jiang et al. 2021, eq. 7).\"""
        name = "layercam"

        def cam(self, activations, gradients):
            return (gradients.relu() * activations).sum(1).relu()
    """

    layers: Layers = "last"
    """"last", "stages", or module paths such as ["layer3", "layer4"]."""
    merge: LayerMerge | None = None
    """How maps of several layers become one inside the extractor; None leaves them to the experiment's fusers."""
    truncate: Annotated[float, Field(ge=0, lt=100)] | None = None
    """LT truncation: keep a gradient where it reaches this percentile of its map's positive values (003 eq. 9-11)."""
    truncate_over: Literal["channel", "layer"] = "channel"
    truncate_strict: bool = False
    """Keep only values above the percentile, not those equal to it."""

    def needs(self, probe: Probe) -> Needs:
        layers = probe.resolve(self.layers)
        return Needs(activations=layers, gradients=layers)

    @abstractmethod
    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        """(P, C, h, w) activations and gradients of the target's logit -> (P, h, w). Pure tensor maths."""

    def extract(self, capture: Capture) -> list[Tensor]:
        maps = [
            self.cam(capture.activations[layer], self.truncated(capture.gradients[layer]))
            for layer in capture.resolve(self.layers)
        ]
        return maps if self.merge is None else [merge_layers(maps, self.merge)]

    def truncated(self, gradients: Tensor) -> Tensor:
        """The gradients after LT truncation, or as they are where ``truncate`` is None."""
        if self.truncate is None:
            return gradients
        return truncate(gradients, self.truncate / 100, self.truncate_over == "layer", self.truncate_strict)


def spatial_mean(values: Tensor) -> Tensor:
    """(P, C, …) -> (P, C, 1, …): the mean over every spatial dimension, 2-D or 3-D."""
    return values.mean(dim=tuple(range(2, values.dim())), keepdim=True) if values.dim() > 2 else values


__all__ = ["Extractor", "GradientExtractor", "LayerMerge", "Layers", "spatial_mean"]
