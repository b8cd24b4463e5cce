"""VGG-16 with global average pooling, and non-local blocks in it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Literal

from pydantic import Field, model_validator
from torch import nn

from camforge.api import Network
from camforge_plugins.backbones.non_local import NonLocal
from camforge_plugins.backbones.torchvision_models import Torchvision

Place = Literal["pool2", "pool3", "pool4", "conv5_3"]
_AFTER: dict[int, tuple[str, int]] = {9: ("pool2", 128), 16: ("pool3", 256), 23: ("pool4", 512), 29: ("conv5_3", 512)}
_POOL4 = 23
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
    width: Annotated[int, Field(ge=0)] = 0
    """Channels of a further 3x3 convolution behind conv5_3, ``conv6``; VGGnet-GAP (Zhou et al. 2016) has 1024. 0: none.
    """

    large_feature_map: bool = False
    """Leave pool4 out too: last maps of 28x28 in the place of 14x14, for images of 224 (Choe et al. 2020)."""

    @model_validator(mode="after")
    def _pool4_is_there(self) -> VGGGap:
        if self.large_feature_map and "pool4" in self.non_local:
            raise ValueError("large_feature_map leaves pool4 out, behind which non_local asks for a block")
        return self

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        features = super().build(outputs, pretrained).body.get_submodule("features")
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, layer in enumerate(features.children()):
            if i > _LAST:
                break
            if i == _POOL4 and self.large_feature_map:
                continue
            is_relu = isinstance(layer, nn.ReLU)
            layers[str(i)] = nn.LeakyReLU(self.slope, inplace=True) if is_relu and self.slope else layer
            place, channels = _AFTER.get(i, ("", 0))
            if place in self.non_local:
                layers[place] = NonLocal(channels)
        last = "conv5_3" if "conv5_3" in self.non_local else str(_LAST)
        stages = [f"features.{i}" for i in (*_STAGES[:-1], last)]
        return pooled(layers, stages, 512, self.width, self.slope, outputs)

    def trained_outputs(self) -> int | None:
        return None  # the linear layer is new


def pooled(
    layers: OrderedDict[str, nn.Module], stages: list[str], channels: int, width: int, slope: float, outputs: int
) -> Network:
    """``layers`` that end in ``channels``, a further convolution of ``width`` where it is not 0, pooling, linear layer.

    ``stages`` are those of ``layers``; behind a further convolution the last stage is its activation. ``slope`` of
    that activation below zero.
    """
    if width:
        layers["conv6"] = nn.Conv2d(channels, width, 3, padding=1)
        layers["relu6"] = nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)
        stages = [*stages[:-1], "features.relu6"]
    body = nn.Sequential(
        OrderedDict(
            features=nn.Sequential(layers),
            pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            fc=nn.Linear(width or channels, outputs),
        )
    )
    return Network(body, tuple(stages), "fc")
