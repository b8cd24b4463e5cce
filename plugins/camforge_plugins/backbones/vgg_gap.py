"""VGG-16 with global average pooling, and non-local blocks in it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from camforge.api import Network
from camforge_plugins.backbones.torchvision_models import Torchvision

Place = Literal["pool2", "pool3", "pool4", "conv5_3"]
_AFTER: dict[int, tuple[str, int]] = {9: ("pool2", 128), 16: ("pool3", 256), 23: ("pool4", 512), 29: ("conv5_3", 512)}
_LAST = 29  # the ReLU of conv5_3; pool5 is left out
_STAGES = (3, 8, 15, 22, _LAST)


class VGGGap(Torchvision):
    """VGG-16 without pool5, pooled and with one linear layer, non-local blocks at the places named (Yang et al. 2020).

    NL-CCAM has blocks before every bottleneck layer but the first: ["pool2", "pool3", "pool4", "conv5_3"]. Table 7's
    low places are pool2 and pool3, its high places pool4 and conv5_3. Weights are those of a plain VGG-16.
    """

    name = "vgg_gap"
    arch: Literal["vgg16"] = "vgg16"
    non_local: tuple[Place, ...] = ()
    """Behind which layers a non-local block stands."""
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Slope of the activations below zero; the authors' code has 0.2."""

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        features = super().build(outputs, pretrained).body.get_submodule("features")
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, layer in enumerate(features.children()):
            if i > _LAST:
                break
            is_relu = isinstance(layer, nn.ReLU)
            layers[str(i)] = nn.LeakyReLU(self.slope, inplace=True) if is_relu and self.slope else layer
            place, channels = _AFTER.get(i, ("", 0))
            if place in self.non_local:
                layers[place] = NonLocal(channels)
        body = nn.Sequential(
            OrderedDict(
                features=nn.Sequential(layers),
                pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
                fc=nn.Linear(512, outputs),
            )
        )
        last = "conv5_3" if "conv5_3" in self.non_local else str(_LAST)
        return Network(body, (*(f"features.{i}" for i in _STAGES[:-1]), f"features.{last}"), "fc")


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
        return (q.transpose(1, 2) @ k).softmax(-1)

    def forward(self, x: Tensor) -> Tensor:
        gathered = self.v(x).flatten(2) @ self.attention(x).transpose(1, 2)
        return x + self.bn(self.m(gathered.unflatten(2, x.shape[2:])))
