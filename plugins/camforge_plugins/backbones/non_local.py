"""The non-local block of NL-CCAM."""

from __future__ import annotations

from torch import Tensor, nn


class NonLocal(nn.Module):
    """y = x + BN(W v alpha^T), alpha = softmax over the last axis of q^T k (Yang et al. 2020, eq. 7-9).

    x (B, C, H, W); q and k have C // 8 channels. Eq. 8 is printed without the transpose, which the softmax needs: each
    row of alpha sums to 1. The normalisation starts at zero, so the block starts as the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 8)
        self.q, self.k = nn.Conv2d(channels, narrow, 1), nn.Conv2d(channels, narrow, 1)
        self.v, self.m = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        self.bn = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.bn.weight)
        nn.init.zeros_(self.bn.bias)

    def attention(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, HW, HW): row i says where place i looks."""
        q, k = self.q(x).flatten(2), self.k(x).flatten(2)
        attention: Tensor = (q.transpose(1, 2) @ k).softmax(-1)
        return attention

    def forward(self, x: Tensor) -> Tensor:
        gathered = self.v(x).flatten(2) @ self.attention(x).transpose(1, 2)
        out: Tensor = x + self.bn(self.m(gathered.unflatten(2, x.shape[2:])))
        return out
