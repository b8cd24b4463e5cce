"""Recipro-CAM, for feature maps and for tokens."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from camforge.api import Capture, LinearHead, RerunExtractor, minmax_normalise, probabilities
from camforge_plugins.extractors.places import Places


class ReciproCAM(RerunExtractor):
    """Recipro-CAM: what the network says of the features of each place alone, stretched to [0, 1] (Byun and Lee 2024).

    Only what lies behind the layer runs again, once per place; behind global average pooling and one linear layer
    nothing does. For tokens it is ViT-Recipro-CAM (Byun and Lee 2023): a place comes with its neighbours under a 3x3
    Gaussian, the class token stays. That paper reads a norm before the last block but one: name it in ``layers``.
    """

    name = "reciprocam"

    gaussian: bool | None = None
    """Leave a place's neighbours in, under a 3x3 Gaussian; None: for tokens, not for feature maps, as published."""
    class_token: bool = True
    """Leave tokens that have no place, such as the class token, as they are; else they are 0."""
    output: Literal["softmax", "logit"] = "softmax"
    """What of the network's output is the score; "softmax" of a single output is its sigmoid."""

    def layer_map(self, capture: Capture, layer: str) -> Tensor:
        grid = capture.activations[layer].shape[2:]
        table = capture.rerun.table(self.key(layer), grid.numel(), lambda pair: self._outputs(capture, layer, pair))
        return minmax_normalise(capture.scores(table).unflatten(1, grid), len(grid))

    def _outputs(self, capture: Capture, layer: str, pair: int) -> Tensor:
        """(h * w, K): the network's output for each place of one image."""
        channels, head = capture.activations[layer][pair], capture.head
        grid = channels.shape[1:]

        def change(value: Tensor, start: int, stop: int) -> Tensor:
            places = Places.of(capture, layer, value)
            is_tokens = value.dim() < len(grid) + 2
            masks = place_masks(grid, start, stop, is_tokens if self.gaussian is None else self.gaussian, value)
            return places.write(value, places.read(value) * masks[:, None], self.class_token)

        if head is not None and head.layer == layer:
            logits = _behind_head(channels, head, place_masks(grid, 0, grid.numel(), bool(self.gaussian), channels))
        else:
            logits = capture.rerun.logits_behind(layer, pair, grid.numel(), change, self.max_memory)
        return probabilities(logits) if self.output == "softmax" else logits


def place_masks(grid: torch.Size, start: int, stop: int, gaussian: bool, like: Tensor) -> Tensor:
    """(stop - start, h, w): 1 at one place each, in order; with ``gaussian`` 1/4 there, 1/8 and 1/16 around it."""
    at = torch.unravel_index(torch.arange(start, stop, device=like.device), grid)
    masks = torch.ones(stop - start, device=like.device, dtype=like.dtype)
    for size, index in zip(grid, at, strict=True):
        rows = torch.eye(size, device=like.device, dtype=like.dtype)
        if gaussian:
            beside = torch.ones(size - 1, device=like.device, dtype=like.dtype) / 4
            rows = rows / 2 + torch.diag(beside, 1) + torch.diag(beside, -1)
        masks = masks[..., None] * rows[index].view(stop - start, *(1,) * (masks.dim() - 1), size)
    return masks


def _behind_head(channels: Tensor, head: LinearHead, masks: Tensor) -> Tensor:
    """(C, h, w) and masks (m, h, w) -> (m, K): the pooled features under each mask through the linear head."""
    pooled = masks.flatten(1) @ channels.flatten(1).T / masks[0].numel()
    return pooled @ head.weight.T + (0 if head.bias is None else head.bias)
