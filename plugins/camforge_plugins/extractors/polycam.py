"""Poly-CAM."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from camforge.api import Capture, Layers, RerunExtractor, probabilities, resize

OUTLIERS = 0.001  # of a channel's values, on either side
TINY = 1e-12


class PolyCAM(RerunExtractor):
    """Poly-CAM: from the deepest layer up, L_l = LN(ReLU(sum_k w_k A_k)) * U(L_l+1) (Englebert et al. 2022).

    w_k is what the target's probability is where the image is masked by channel k ("plus"), what it loses where it is
    masked by the rest ("minus"), or both. LN divides by the map's own average over each place of the deeper map. One
    map comes out, at the shallowest layer's size. Two forwards per channel of every layer.
    """

    name = "polycam"

    layers: Layers = "stages"
    """Which layers, from the deepest back to the image."""
    variant: Literal["plus", "minus", "both"] = "both"
    """PCAM+, PCAM- or PCAM+-."""
    local_norm: bool = True
    """Divide a layer's map by itself, shrunk to the deeper map's size and grown again."""

    def extract(self, capture: Capture) -> list[Tensor]:
        deepest, *others = reversed(capture.resolve(self.layers))
        found = self.layer_map(capture, deepest)
        for layer in others:
            finer = self.layer_map(capture, layer)
            if self.local_norm:
                coarse = resize(finer, found.shape[1:])
                finer = finer / resize(coarse, finer.shape[1:]).clamp(min=TINY)
            found = finer * resize(found, finer.shape[1:])
        return self.merged([found])

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        activations = capture.activations[layer]
        weights = activations.new_zeros(activations.shape[:2])
        if self.variant != "minus":
            weights = self._scores(capture, layer, inverse=False)
        if self.variant != "plus":
            whole = capture.scores(probabilities(capture.logits))[:, None]
            weights = (weights + whole - self._scores(capture, layer, inverse=True)).relu()
        return torch.einsum("pc,pc...->p...", weights, activations).relu()

    def _scores(self, capture: Capture, layer: str, inverse: bool) -> Tensor:
        """(P, C): the target's probability where the image is masked by each channel, or by what it leaves out."""
        activations = capture.activations[layer]
        channels = activations.shape[1]

        def outputs(pair: int) -> Tensor:
            image = capture.inputs[pair]

            def variants(start: int, stop: int) -> Tensor:
                masks = without_outliers(activations[pair, start:stop])
                return resize(1 - masks if inverse else masks, image.shape[1:])[:, None] * image

            return probabilities(capture.rerun.logits(pair, channels, variants, self.max_memory))

        return capture.scores(capture.rerun.table((*self.key(layer), inverse), channels, outputs))


def without_outliers(channels: Tensor) -> Tensor:
    """(C, h, w) -> in [0, 1]: less the 0.1 percentile, over the 99.9 percentile, cut, channel by channel."""
    flat = channels.flatten(1)
    ends = flat.new_tensor([OUTLIERS, 1 - OUTLIERS])
    low, high = torch.quantile(flat, ends, dim=1, keepdim=True)
    scaled: Tensor = ((flat - low) / high.clamp(min=TINY)).clamp(0, 1)
    return scaled.view_as(channels)
