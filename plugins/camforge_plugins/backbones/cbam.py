"""ResNets with attention blocks."""

from __future__ import annotations

from typing import Annotated, cast

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from camforge.api import Network
from camforge_plugins.backbones.torchvision_models import Torchvision


class CBAM(Torchvision):
    """A ResNet of torchvision with a convolutional block attention module in every block (Woo et al. 2018).

    The attention stands before the addition of the shortcut, as in the authors' code. Weights are a plain ResNet's;
    the attention starts afresh, its gates near 1/2 each, so a pretrained ResNet needs training to recover.
    """

    name = "cbam"
    arch: str = "resnet50"
    reduction: Annotated[int, Field(ge=1)] = 16
    """Channels per hidden unit of the channel attention."""

    @field_validator("arch")
    @classmethod
    def _resnet(cls, arch: str) -> str:
        if not arch.startswith(("resnet", "resnext", "wide_resnet")):
            raise ValueError(f"attention blocks are put into ResNets only, such as resnet50, not into {arch!r}")
        return arch

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        from torchvision.models.resnet import BasicBlock, Bottleneck

        network = super().build(outputs, pretrained)
        for block in list(network.body.modules()):
            if isinstance(block, Bottleneck):
                block.bn3 = self._attended(block.bn3)
            elif isinstance(block, BasicBlock):
                block.bn2 = self._attended(block.bn2)
        return network

    def trained_outputs(self) -> int | None:
        return None  # the attention is new

    def _attended(self, norm: nn.Module) -> nn.Sequential:
        """The block's last normalisation with the attention behind it."""
        return nn.Sequential(norm, BlockAttention(cast(nn.BatchNorm2d, norm).num_features, self.reduction))


class BlockAttention(nn.Module):
    """x -> gated by channel, then by place: x' = Mc(x) * x, x'' = Ms(x') * x' (Woo et al. 2018, eq. 1)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        squeeze, expand = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        norm = nn.BatchNorm2d(1, momentum=0.01)
        nn.init.zeros_(squeeze.bias)
        nn.init.zeros_(expand.bias)
        nn.init.zeros_(norm.weight)  # as in the authors' code: the spatial gate starts at 1/2 everywhere
        self.mlp = nn.Sequential(squeeze, nn.ReLU(), expand)
        self.conv = nn.Sequential(nn.Conv2d(2, 1, 7, padding=3, bias=False), norm)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.channel_gate(x)
        return x * self.spatial_gate(x)

    def channel_gate(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 1, 1): sigmoid(MLP(mean over space) + MLP(max over space)) (eq. 2)."""
        return torch.sigmoid(self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3))))[:, :, None, None]

    def spatial_gate(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 1, H, W): sigmoid(conv 7x7 of [max over channels; mean over channels]) (eq. 3)."""
        return torch.sigmoid(self.conv(torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)))
