"""Ablation-CAM."""

import torch
from torch import Tensor

from camforge.api import Capture, LinearHead, RerunExtractor


class AblationCAM(RerunExtractor):
    """Ablation-CAM: ReLU(sum_k w_k A_k), w_k = (y - y_k) / y (Desai and Ramaswamy 2020).

    y_k is the score without channel k. Where y is negative, as logits of binary cross entropy often are, the division
    turns the map round.
    Only what lies behind the layer is run again; behind global average pooling and one linear layer nothing is:
    there y_k = y - weight_k * mean(A_k).
    """

    name = "ablationcam"

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        activations, head = capture.activations[layer], capture.head

        def change(value: Tensor, start: int, stop: int) -> Tensor:
            return drop(value, start, stop, capture.grids.channel_axis(value.shape, layer))

        def ablated(pair: int) -> Tensor:
            if head is not None and head.layer == layer:
                return without_each(activations[pair], capture.logits[pair], head)
            return capture.rerun.logits_behind(layer, pair, rows, change, self.max_memory)

        rows = activations.shape[1]
        whole = capture.scores(capture.logits.double())
        without = capture.scores(capture.rerun.table(self.key(layer), rows, ablated).double())
        weights = (whole[:, None] - without) / whole[:, None]
        return torch.einsum("pc,pc...->p...", weights.to(activations), activations).relu()


def without_each(channels: Tensor, logits: Tensor, head: LinearHead) -> Tensor:
    """(C, h, w) and logits (K,) of one image -> (C, K) float64: the logits without each channel, in closed form.

    A channel's share may be below the rounding of a float32 logit.
    """
    return logits.double() - (head.weight.double() * channels.double().flatten(1).mean(1)).T


def drop(value: Tensor, start: int, stop: int, axis: int) -> Tensor:
    """(1, …) -> (stop - start, …): copies of a value, the k-th without channel start + k."""
    values = value.repeat(stop - start, *(1,) * (value.dim() - 1))
    rows = torch.arange(stop - start, device=value.device)
    values.movedim(axis, 1)[rows, start + rows] = 0
    return values
