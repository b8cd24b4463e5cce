"""LeGrad."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from camforge.api import Attention, Capture, ModelLayers, Needs
from camforge_plugins.extractors.attention_blocks import AttentionExtractor


class LeGrad(AttentionExtractor):
    """LeGrad: the mean over blocks l, heads and queries of ReLU(ds_l / dA_l) (Bousselham et al. 2025).

    A_l is the attention of block l after the softmax, s_l the target's score read from that block's own tokens, pooled,
    through all that lies behind the last block. For any vision transformer of torchvision, timm, transformers or
    open_clip.
    """

    name = "legrad"

    pooled: Literal["mean", "class_token"] = "mean"
    """How a block's tokens become one: the authors' code takes the mean of all. "class_token" takes what the network
    itself reads: its class token, or the mean where it has none."""

    def needs(self, model_layers: ModelLayers) -> Needs:
        del model_layers
        return Needs(attention=True)

    def extract(self, capture: Capture) -> list[Tensor]:
        attention, blocks = self.chosen(capture)
        if not len(capture):
            return [attention.on_grid(attention.read)]
        tokens = torch.stack([attention.outputs(block) for block in blocks], 1)  # (P, blocks, N, C)
        with torch.enable_grad():
            slopes = self._slopes(capture, attention, tokens.requires_grad_())
            pulled = [attention.pulled_back(block, slopes[:, k]) for k, block in enumerate(blocks)]
        seen = torch.stack([gradient.relu().mean((1, 2)) for gradient in pulled]).mean(0)  # (P, N) over the keys
        return [attention.on_grid(seen)]

    def _slopes(self, capture: Capture, attention: Attention, tokens: Tensor) -> Tensor:
        """ds_l / d tokens of each block l, (P, blocks, N, C)."""
        read = torch.full_like(attention.read, 1 / tokens.shape[2]) if self.pooled == "mean" else attention.read
        pooled = torch.einsum("pn,pbnc->pbc", read.to(tokens), tokens)[:, :, None].expand_as(tokens)
        last, count = attention.blocks[-1], tokens.shape[1]

        def of_pair(pair: int) -> Tensor:
            def change(_value: Tensor, start: int, stop: int) -> Tensor:
                return attention.as_returned(pooled[pair, start:stop])

            return capture.rerun.logits_behind(last, pair, count, change)

        scores = capture.scores(torch.stack([of_pair(pair) for pair in range(len(tokens))]))
        return torch.autograd.grad(scores.sum(), tokens)[0]
