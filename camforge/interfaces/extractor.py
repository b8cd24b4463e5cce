"""Extractors: from what one pass captured to maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from camforge.capture import Capture, ModelLayers, Needs
from camforge.interfaces.base import Plugin
from camforge.maps import merge_layers, truncate

Layers = Literal["last", "stages"] | tuple[str, ...]
LayerMerge = Literal["sum", "max", "tanh_max", "normalised_sum"]
Percentile = Annotated[float, Field(ge=0, lt=100)]
Scale = Annotated[float, Field(gt=0, le=8)]


class Extractor(Plugin, ABC):
    """An extractor reads one capture and returns one map per layer. Test-time augmentation comes free.

    class FeatureNorm(Extractor):
        \"""The norm of the feature vector at each place of the last stage.\"""
        name = "feature_norm"

        def needs(self, model_layers):
            return Needs(activations=model_layers.resolve("last"))

        def extract(self, capture):
            return [capture.activations[layer].norm(dim=1) for layer in capture.resolve("last")]
    """

    kind: ClassVar[str] = "extractor"
    renamed: ClassVar[Mapping[str, str]] = {"views": "tta_merge"}

    scales: Annotated[tuple[Scale, ...], Field(min_length=1)] = (1.0,)
    """Sizes at which the images are seen, as factors; the maps come back to the largest."""
    flip: bool = False
    """See the images mirrored as well."""
    tta_merge: Literal["sum", "max"] = "sum"
    """How the maps of several scales and of mirrored images (test-time augmentation) are merged."""

    def needs(self, model_layers: ModelLayers) -> Needs:
        """What must be captured. The needs of all extractors are joined before the one pass."""
        del model_layers
        return Needs()

    @abstractmethod
    def extract(self, capture: Capture) -> list[Tensor]:
        """One map (P, h, w) per layer for the capture's P (image, target) pairs, raw, at the layer's own size."""


class LayerExtractor(Extractor, ABC):
    """An extractor that makes one map of each layer's activation by itself; choice and merging of layers come free.

    class FeatureNorm(LayerExtractor):
        \"""The norm of the feature vector at each place.\"""
        name = "feature_norm"

        def layer_map(self, capture, layer):
            return capture.activations[layer].norm(dim=1)
    """

    layers: Layers = "last"
    """"last", "stages", or module paths such as ["layer3", "layer4"]."""
    merge: LayerMerge | None = None
    """How maps of several layers become one inside the extractor; None leaves them to the experiment's fusers."""

    def needs(self, model_layers: ModelLayers) -> Needs:
        return Needs(activations=model_layers.resolve(self.layers))

    @abstractmethod
    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        """The map (P, h, w) of one layer, a key of ``capture.activations``."""

    def extract(self, capture: Capture) -> list[Tensor]:
        return self.merged([self.layer_map(capture, layer) for layer in capture.resolve(self.layers)])

    def merged(self, maps: list[Tensor]) -> list[Tensor]:
        """The layers' maps, as one where ``merge`` says so."""
        return maps if self.merge is None else [merge_layers(maps, self.merge)]


class Truncation(Plugin, ABC):
    """The options of LT truncation, for whatever reads gradients (003 eq. 9-11)."""

    truncate: Percentile | None = None
    """Keep a gradient where it reaches this percentile of its map's positive values; None keeps all of them."""
    truncate_over: Literal["channel", "layer"] = "channel"
    """Take the percentile over each channel, or over the whole layer."""
    truncate_strict: bool = False
    """Keep only values above the percentile, not those equal to it."""

    def truncated(self, gradients: Tensor) -> Tensor:
        """The gradients (P, C, …) after truncation, or as they are where ``truncate`` is None."""
        if self.truncate is None:
            return gradients
        return truncate(gradients, self.truncate / 100, self.truncate_over == "layer", self.truncate_strict)


class GradientExtractor(Truncation, LayerExtractor, ABC):
    """An extractor whose maps are a function of a layer's activation and its gradient; layers and truncation come free.

    class LayerCAM(GradientExtractor):
        \"""Layer-CAM: ReLU(sum_k ReLU(dy/dA_k) * A_k) (Jiang et al. 2021).\"""
        name = "layercam"

        def cam(self, activations, gradients):
            return (gradients.relu() * activations).sum(1).relu()
    """

    def needs(self, model_layers: ModelLayers) -> Needs:
        layers = model_layers.resolve(self.layers)
        own = type(self)
        only_cam = own.extract is LayerExtractor.extract and own.layer_map is GradientExtractor.layer_map
        return Needs(activations=layers, gradients=layers, many_targets=only_cam)

    @abstractmethod
    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        """(P, C, h, w) activations and gradients of the target's logit -> (P, h, w). Pure tensor maths."""

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        return self.cam(capture.activations[layer], self._gradients(capture, layer))

    def _gradients(self, capture: Capture, layer: str) -> Tensor:
        """The layer's gradients after truncation, which extractors with the same options share."""
        gradients = capture.gradients[layer]
        if self.truncate is None:
            return gradients
        key = ("truncated", layer, self.truncate, self.truncate_over, self.truncate_strict)
        return capture.shared(key, lambda: self.truncated(gradients))


class RerunExtractor(LayerExtractor, ABC):
    """An extractor that runs the network again: ``capture.rerun`` in chunks within ``max_memory``.

    class Dimmed(RerunExtractor):
        \"""The activation's mean, times what the score loses when the image is dimmed.\"""
        name = "dimmed"

        def layer_map(self, capture, layer):
            def run(pair):
                dim = capture.inputs[pair : pair + 1] / 2
                return capture.rerun.logits(pair, 1, lambda start, stop: dim, self.max_memory)

            lost = capture.scores(capture.logits) - capture.scores(capture.rerun.table(self.key(layer), 1, run))[:, 0]
            return lost[:, None, None] * capture.activations[layer].mean(1)
    """

    max_memory: Annotated[int, Field(ge=1)] | None = None
    """MiB that a chunk of the images or values run again may take, about; None: what suits the device."""

    def key(self, layer: str) -> tuple[str, int]:
        """Under which a table of logits is kept for the image's other targets, while the pass lasts."""
        return layer, id(self)


def spatial_mean(values: Tensor) -> Tensor:
    """(P, C, …) -> (P, C, 1, …): the mean over every spatial dimension, 2-D or 3-D."""
    if values.dim() > 2 and not any(values.stride()[2:]):  # a linear head's gradient: one number, seen at every place
        return values.flatten(2)[:, :, :1].view(*values.shape[:2], *(1 for _ in values.shape[2:]))
    return values.mean(dim=tuple(range(2, values.dim())), keepdim=True) if values.dim() > 2 else values


__all__ = [
    "Extractor", "GradientExtractor", "LayerExtractor", "LayerMerge", "Layers", "Percentile", "RerunExtractor",
    "Truncation", "spatial_mean",
]  # fmt: skip
