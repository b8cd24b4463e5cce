"""AlexNet with global average pooling."""

from __future__ import annotations

from collections import OrderedDict
from itertools import takewhile
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from camforge.api import Network
from camforge_plugins.backbones.torchvision_models import Torchvision
from camforge_plugins.backbones.vgg_gap import pooled

_LAST = 11  # the ReLU of conv5; pool5 is left out
_STAGES = (1, 4, 9, _LAST)


class AlexNetGap(Torchvision):
    """AlexNet-GAP: conv1 to conv5, a further convolution, pooling and one linear layer (Zhou et al. 2016, sec. 3.1).

    Without pool5 the maps of 224 pixels have 13x13 cells. Weights are those of torchvision's AlexNet, whose layers have
    fewer channels than the two-column network of 2012.
    """

    name = "alexnet_gap"
    arch: Literal["alexnet"] = "alexnet"
    width: Annotated[int, Field(ge=0)] = 1024
    """Channels of the further 3x3 convolution, ``conv6``. 0: none."""

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        features = super().build(outputs, pretrained).body.get_submodule("features")
        kept = takewhile(lambda item: int(item[0]) <= _LAST, features.named_children())
        layers: OrderedDict[str, nn.Module] = OrderedDict(kept)
        return pooled(layers, [f"features.{i}" for i in _STAGES], 256, self.width, 0.0, outputs)

    def trained_outputs(self) -> int | None:
        return None  # the linear layer is new
