"""ResNets whose last maps are large, as weakly supervised localization has them."""

from __future__ import annotations

from typing import Literal

from torch import nn

from camforge.api import Network
from camforge_plugins.backbones.torchvision_models import Torchvision


class WSOLResNet(Torchvision):
    """A ResNet whose last stages do not stride: maps of 28x28 (or 14x14) for images of 224 (Choe et al. 2020).

    ``large_feature_map`` of their code: layer4 never strides, layer3 only for 14. There is no dilation, the weights are
    those of the plain network.
    """

    name = "wsol_resnet"
    arch: Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"] = "resnet50"
    feature_map: Literal[14, 28] = 28
    """Side of the last maps for images of 224 pixels."""

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        network = super().build(outputs, pretrained)
        for stage in ("layer4", "layer3") if self.feature_map == 28 else ("layer4",):
            for module in network.body.get_submodule(stage).modules():
                if isinstance(module, nn.Conv2d):
                    module.stride = (1, 1)
        return network

    def trained_outputs(self) -> int | None:
        return None  # other strides than it was trained with
