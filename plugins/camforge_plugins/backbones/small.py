"""A small residual network for images of about 64 pixels: trains on one CPU core in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from camforge.api import Backbone, Network
from camforge_plugins.backbones.cbam import BlockAttention
from camforge_plugins.backbones.non_local import NonLocal

Width = Annotated[int, Field(ge=1, le=2048)]


class Small(Backbone):
    """A small network: a stride-2 stem, then one block per entry of ``blocks``, then GAP and a linear layer.

    The defaults keep sharp maps of 16x16 at 64 pixels. ``widths=[16, 32, 64, 64], strides=[2, 2, 1, 1]`` with four
    "residual" blocks gives maps of 8x8 and a higher accuracy. Every stage (``stage1`` …) ends in a ReLU.
    """

    name = "small"

    stem: Width = 16
    """Channels of the first convolution."""
    widths: Annotated[tuple[Width, ...], Field(min_length=1)] = (16, 32, 48, 64)
    """Channels of each stage."""
    strides: tuple[Literal[1, 2], ...] = (2, 1, 1, 1)
    """Of each stage: 2 halves height and width."""
    blocks: tuple[Literal["residual", "plain", "cbam"], ...] = ("residual", "residual", "plain", "plain")
    """Per stage; "cbam" is a residual block with attention."""
    non_local: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Numbers of the stages that end in a non-local block."""

    @model_validator(mode="after")
    def _of_one_length(self) -> Small:
        counts = {field: len(getattr(self, field)) for field in ("widths", "strides", "blocks")}
        if len(set(counts.values())) > 1:
            raise ValueError(f"widths, strides and blocks need one entry per stage each, got {counts}")
        if any(stage > len(self.widths) for stage in self.non_local):
            raise ValueError(f"non_local names stages 1 to {len(self.widths)}, got {list(self.non_local)}")
        return self

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        del pretrained  # there are no weights to load
        makers: dict[str, Callable[[int, int, int], nn.Module]]
        makers = {"residual": _Residual, "plain": _conv_bn_relu, "cbam": _Attended}
        body = nn.Sequential()
        body.add_module("stem", _conv_bn_relu(3, self.stem, stride=2))
        width = self.stem
        for i, (out, stride, block) in enumerate(zip(self.widths, self.strides, self.blocks, strict=True), 1):
            stage = makers[block](width, out, stride)
            body.add_module(f"stage{i}", nn.Sequential(stage, NonLocal(out)) if i in self.non_local else stage)
            width = out
        body.add_module("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        body.add_module("fc", _linear(width, outputs))
        return Network(body, tuple(f"stage{i + 1}" for i in range(len(self.widths))), "fc")


class _Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016), a 1x1 projection where the shape changes."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = _conv_bn_relu(width, out, stride)
        self.second = nn.Sequential(nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out))
        same = stride == 1 and width == out
        self.shortcut = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(x)) + self.shortcut(x))


class _Attended(_Residual):
    """A residual block with a convolutional block attention module before its sum (Woo et al. 2018)."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__(width, out, stride)
        self.second.append(BlockAttention(out, reduction=16))


def _conv_bn_relu(width: int, out: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(width, out, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())


def _linear(width: int, outputs: int) -> nn.Linear:
    """Starts near "no class is shown" (bias -2: probability 0.12), so that multi-label training settles sooner."""
    head = nn.Linear(width, outputs)
    nn.init.normal_(head.weight, std=0.01)
    nn.init.constant_(head.bias, -2.0)
    return head
