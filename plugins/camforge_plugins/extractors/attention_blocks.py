"""What extractors that read attention share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from camforge.api import Attention, CamForgeError, Capture, Extractor, ModelLayers, Needs


class AttentionExtractor(Extractor):
    """An extractor that reads the self-attention of a transformer's blocks; which of them is an option."""

    blocks: Literal["all"] | tuple[int, ...] = "all"
    """Which blocks, from 0; negative numbers count from the last."""

    def needs(self, model_layers: ModelLayers) -> Needs:
        del model_layers
        return Needs(attention=True, attention_gradients=True)

    def chosen(self, capture: Capture) -> tuple[Attention, list[int]]:
        """The capture's attention, and the numbers of the blocks that are read, shallow to deep."""
        assert capture.attention is not None  # needs() asks for it
        count = len(capture.attention.blocks)
        if self.blocks == "all":
            return capture.attention, list(range(count))
        wrong = [b for b in self.blocks if not -count <= b < count]
        if wrong:
            raise CamForgeError(f"{self.name}: no block {wrong[0]}; the model has blocks 0 to {count - 1}")
        return capture.attention, sorted({b % count for b in self.blocks})


def read_back(attention: Attention, matrices: Sequence[Tensor]) -> Tensor:
    """(P, N, N) of the blocks, shallow to deep -> (P, h, w): their product, in the rows of the tokens that are read."""
    row = attention.read
    for matrix in reversed(matrices):
        row = torch.einsum("pq,pqk->pk", row.to(matrix), matrix)
    return attention.on_grid(row)


def with_identity(matrix: Tensor) -> Tensor:
    """(P, N, N) -> the same plus the identity: what the skip connection passes on."""
    return matrix + torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
