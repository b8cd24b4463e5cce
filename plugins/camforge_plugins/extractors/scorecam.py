"""Score-CAM."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from camforge.api import Capture, RerunExtractor, minmax_normalise, probabilities, resize


class ScoreCAM(RerunExtractor):
    """Score-CAM: ReLU(sum_k w_k A_k), w = softmax over k of y(X * s(U(A_k))) (Wang et al. 2020, Score-CAM).

    U upsamples to the image, s scales to [0, 1], a constant channel to 0. The score of the plain image, which the
    paper subtracts, is the same for every k and leaves the softmax as it is.
    """

    name = "scorecam"

    output: Literal["logit", "softmax"] = "logit"
    """What of the network's output is the score; "softmax" of a single output is its sigmoid."""

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        activations = capture.activations[layer]
        rows = activations.shape[1]
        table = capture.rerun.table(self.key(layer), rows, lambda p: self.outputs(capture, activations[p], p))
        return torch.einsum("pc,pc...->p...", capture.scores(table).softmax(1), activations).relu()

    def outputs(self, capture: Capture, channels: Tensor, pair: int) -> Tensor:
        """(C, h, w) of one image -> (C, K): the network's output for the image under each channel's mask."""
        return self.masked(capture, channels, pair, lambda masks: masks)

    def masked(self, capture: Capture, channels: Tensor, pair: int, change: Callable[[Tensor], Tensor]) -> Tensor:
        """(C, K) of the image under ``change(mask)`` of every channel; constant channels share one blank mask."""
        flat = channels.flatten(1)
        live = (flat.amax(1) > flat.amin(1)).nonzero().flatten()
        image = capture.inputs[pair]

        def variants(start: int, stop: int) -> Tensor:
            masks = unit_masks(channels[live[start:stop]], image.shape[1:])
            blank = masks.new_zeros(max(0, stop - max(start, len(live))), *masks.shape[1:])
            return change(torch.cat([masks, blank]))[:, None] * image

        rows = len(live) + (len(live) < len(channels))
        found = self.output_of(capture.rerun.logits(pair, rows, variants, self.max_memory))
        return found[-1:].repeat(len(channels), 1).index_copy(0, live, found[: len(live)])

    def output_of(self, logits: Tensor) -> Tensor:
        return probabilities(logits) if self.output == "softmax" else logits


def unit_masks(channels: Tensor, size: torch.Size) -> Tensor:
    """(m, h, w) -> (m, H, W): upsampled, each scaled to [0, 1]; a constant one becomes 0."""
    return minmax_normalise(resize(channels, size), len(size))
