"""Extractors that divide an image's features into concepts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from camforge.capture import Capture, ModelLayers, Needs
from camforge.interfaces.extractor import LayerExtractor


@dataclass(frozen=True, eq=False)
class Concepts:
    """What P pairs' images are made of, by the features of one layer.

    maps    (P, k, h, w) of k = ``count`` concepts: the concept's strength at every place
    logits  (P, k, K), what lies behind the layer makes of a concept alone
    """

    maps: Tensor
    logits: Tensor


class ConceptExtractor(LayerExtractor, ABC):
    """An extractor whose map of a target is that of the concept which gives the target the highest logit.

    ``camforge.concepts`` shows all of an image's concepts, each with the classes that the network takes it for.

    class Channels(ConceptExtractor):
        \"""The strongest channels, each alone a concept.\"""
        name = "channels"

        def concepts(self, capture, layer):
            activations = capture.activations[layer]
            strongest = activations.flatten(2).amax(2).topk(self.count).indices

            def behind(pair):
                def one(value, start, stop):
                    axis = capture.grids.channel_axis(value.shape, layer)
                    kept = torch.zeros(self.count, value.shape[axis]).scatter(1, strongest[pair, :, None], 1)
                    return value * kept[start:stop].view(-1, *(-1 if a == axis else 1 for a in range(1, value.dim())))
                return capture.rerun.logits_behind(layer, pair, self.count, one)

            maps = torch.stack([a[s] for a, s in zip(activations, strongest)])
            return Concepts(maps, torch.stack([behind(pair) for pair in range(len(capture))]))
    """

    count: Annotated[int, Field(ge=1, le=64)] = 5
    """How many concepts an image is divided into."""

    def needs(self, model_layers: ModelLayers) -> Needs:
        return Needs(activations=model_layers.resolve(self.layers), many_targets=True)

    @abstractmethod
    def concepts(self, capture: Capture, layer: str) -> Concepts:
        """The concepts of one layer, a key of ``capture.activations``."""

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        if not len(capture):
            return capture.activations[layer].sum(1)  # of no pair: (0, h, w)
        found = self.concepts(capture, layer)
        best = capture.scores(found.logits).argmax(1)  # of probabilities several may round to 1
        return found.maps[torch.arange(len(best), device=best.device), best]
