"""One network whose own maps teach it, layer by layer, where the object is."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from camforge.api import CamForgeError, Learner, Network, minmax_normalise, resize

from .classification import Loss
from .layers import outputs_of, require_grids
from .single import Single, SingleLearner

Share = Annotated[float, Field(ge=0, le=1)]
Pair = tuple[Share, Share]
FEWEST = 30  # foreground pixels of an image; where there are fewer, the threshold is a share of the map's maximum
OF_THE_MAXIMUM = 0.7


class SPGLearner(SingleLearner):
    """A classifier, and three heads that say per pixel whether it is foreground; the heads are left out afterwards."""

    def __init__(self, network: Network, options: SPG) -> None:
        super().__init__(network, options.loss)
        self.options, self.paths = options, options.paths(network)
        early, middle, last = (grid.shape[1] for grid in require_grids(options, network, self.paths))
        network.train()
        if network.class_features().shape[1] != last:
            raise CamForgeError(f"spg: backbone {options.backbone.name!r} has no linear layer on its pooled last stage")
        width = options.width
        self.early, self.middle = conv_relu(early, width), conv_relu(middle, width)
        self.shared = nn.Sequential(conv_relu(width, width), nn.Conv2d(width, 1, 1))
        self.last = nn.Sequential(conv_relu(last, width), nn.Conv2d(width, 1, 1))

    def losses(self, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
        network, size = self.networks[0], images.shape[2:]
        assert isinstance(network, Network)
        with outputs_of(network.body, self.paths) as found:
            named = super().losses(images, targets)
        early, middle, last = (found[path] for path in self.paths)
        attention = class_attention(last.detach(), network.class_features(), targets, size, self.loss)
        b1, b2, c = (
            resize(logits[:, 0], size)
            for logits in (self.shared(self.early(early)), self.shared(self.middle(middle)), self.last(last))
        )
        seen1, seen2 = b1.detach().sigmoid(), b2.detach().sigmoid()
        teachers = ((b2, attention), (b1, seen2), (c, (seen1 + seen2) / 2))
        names = ("loss_middle", "loss_early", "loss_last")
        for name, (logits, teacher), (high, low) in zip(names, teachers, self.options.thresholds, strict=True):
            named[name] = guided_loss(logits, teacher, high, low)
        return named


class SPG(Single):
    """Self-produced guidance: the class's map teaches a middle layer what is foreground, and so on (Zhang et al. 2018).

    The middle layer learns from the class map, the early one from the middle one, the last one from the mean of both:
    pixels above a high threshold are foreground, below a low one background, the others count nowhere. The heads act
    while the network learns, which keeps its class maps. Losses, thresholds and heads are those of Choe et al. 2020.
    """

    name = "spg"
    layers: tuple[str, str] | None = None
    """The early and the middle layer of the backbone; none: the two stages before the last. Choe et al. have the first
    and the last block of layer3 of a ResNet-50, conv4_3 and conv5_3 of a VGG-16 with two more convolutions behind it.
    """
    thresholds: tuple[Pair, Pair, Pair] = ((0.7, 0.01), (0.5, 0.05), (0.7, 0.1))
    """High and low for the class map, the middle layer's map, and the mean of the early and middle one's."""
    width: Annotated[int, Field(ge=1)] = 512
    """Channels of the heads' convolutions."""

    @field_validator("thresholds")
    @classmethod
    def _low_is_below_high(cls, thresholds: tuple[Pair, ...]) -> tuple[Pair, ...]:
        if any(low > high for high, low in thresholds):
            raise ValueError(f"each pair is a high and a low threshold, got {[list(pair) for pair in thresholds]}")
        return thresholds

    def learner(self, outputs: int, pretrained: bool = True) -> Learner:
        return SPGLearner(self.backbone.build(outputs, pretrained), self)

    def paths(self, network: Network) -> tuple[str, str, str]:
        """The early, the middle and the last layer."""
        if self.layers is None and len(network.stages) < 3:
            raise CamForgeError(
                f"spg: backbone {self.backbone.name!r} has {len(network.stages)} stages: name two layers"
            )
        early, middle = self.layers or network.stages[-3:-1]
        return early, middle, network.stages[-1]


def conv_relu(channels: int, width: int) -> nn.Sequential:
    """A 3x3 convolution and its ReLU."""
    return nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.ReLU())


def class_attention(features: Tensor, weight: Tensor, targets: Tensor, size: torch.Size, loss: Loss) -> Tensor:
    """Features (B, C, h, w), weight (K, C), targets (B, K) -> (B, H, W) in [0, 1]: the shown class's map, stretched.

    Of several shown outputs ("bce") the strongest counts at each pixel.
    """
    if loss == "softmax":
        chosen = weight[targets.argmax(1)]
        return minmax_normalise(resize(torch.einsum("bc,bchw->bhw", chosen, features), size))
    maps = minmax_normalise(resize(torch.einsum("kc,bchw->bkhw", weight, features), size))
    return (maps * (targets > 0)[:, :, None, None]).amax(1)


def guided_loss(logits: Tensor, attention: Tensor, high: float, low: float) -> Tensor:
    """(B, H, W) logits and attention in [0, 1] -> the mean cross entropy of the pixels that attention decides on."""
    peak = attention.amax((1, 2), keepdim=True)
    strong = attention > high
    few = strong.sum((1, 2), keepdim=True) < FEWEST
    strong = torch.where(few, attention > OF_THE_MAXIMUM * peak, strong)
    weak = attention < low
    counted = (strong | weak).to(logits)
    each = binary_cross_entropy_with_logits(logits, (strong & ~weak).to(logits), reduction="none")
    return (each * counted).sum() / counted.sum().clamp(min=1)
