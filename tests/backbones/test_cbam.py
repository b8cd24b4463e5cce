"""CBAM against a slow transcription of its equations, and its place in the ResNet."""

import math

import pytest
import torch
from pydantic import ValidationError

from camforge_plugins.backbones.cbam import CBAM, BlockAttention
from camforge_plugins.backbones.small import Small


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def slow_attention(block, x):
    """Woo et al. 2018, eq. 1-3, number by number, for one image (C, H, W); the norm in eval mode."""
    squeeze, _, expand = block.mlp
    conv, norm = block.conv
    channels, height, width = x.shape

    def mlp(vector):
        hidden = [max(0.0, sum(w * v for w, v in zip(row, vector, strict=True)) + b)
                  for row, b in zip(squeeze.weight.tolist(), squeeze.bias.tolist(), strict=True)]  # fmt: skip
        return [sum(w * h for w, h in zip(row, hidden, strict=True)) + b
                for row, b in zip(expand.weight.tolist(), expand.bias.tolist(), strict=True)]  # fmt: skip

    mean, peak = mlp([c.mean().item() for c in x]), mlp([c.max().item() for c in x])
    x = torch.stack([x[c] * sigmoid(mean[c] + peak[c]) for c in range(channels)])
    flat = [x.amax(0), x.mean(0)]
    out = torch.zeros_like(x)
    for i in range(height):
        for j in range(width):
            total = 0.0
            for plane in range(2):
                for di in range(-3, 4):
                    for dj in range(-3, 4):
                        if 0 <= i + di < height and 0 <= j + dj < width:
                            total += (conv.weight[0, plane, di + 3, dj + 3] * flat[plane][i + di, j + dj]).item()
            scaled = (total - norm.running_mean.item()) / math.sqrt(norm.running_var.item() + norm.eps)
            out[:, i, j] = x[:, i, j] * sigmoid(scaled * norm.weight.item() + norm.bias.item())
    return out


def test_attention_against_the_equations() -> None:
    block = BlockAttention(8, 4).double().eval()
    torch.nn.init.constant_(block.conv[1].weight, 1.3)
    torch.nn.init.constant_(block.conv[1].bias, -0.2)
    torch.nn.init.constant_(block.conv[1].running_mean, 0.1)
    x = torch.randn(1, 8, 5, 4, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(block(x)[0], slow_attention(block, x[0]), rtol=0, atol=1e-12)


def test_the_spatial_gate_starts_at_one_half() -> None:
    x = torch.randn(2, 8, 6, 6)
    assert torch.equal(BlockAttention(8, 4).spatial_gate(x), torch.full((2, 1, 6, 6), 0.5))


@pytest.mark.parametrize(("arch", "norm"), [("resnet18", "bn2"), ("resnet50", "bn3")])
def test_every_block_is_attended_before_its_shortcut(arch: str, norm: str) -> None:
    body = CBAM(arch=arch).build(3).body
    blocks = [block for stage in (body.layer1, body.layer2, body.layer3, body.layer4) for block in stage]
    assert all(isinstance(getattr(block, norm)[1], BlockAttention) for block in blocks)
    assert sum(isinstance(module, BlockAttention) for module in body.modules()) == len(blocks)
    block = body.layer1[1].eval()
    x = torch.rand(1, block.conv1.in_channels, 4, 4)
    torch.nn.init.constant_(getattr(block, norm)[1].conv[1].bias, -1e4)  # a closed gate leaves the shortcut alone
    assert torch.equal(block(x), x)


def test_stages_and_head_are_the_resnets() -> None:
    network = CBAM(arch="resnet18").build(4)
    assert (network.stages, network.head) == (("layer1", "layer2", "layer3", "layer4"), "fc")
    logits, features = network.eval().features(torch.rand(1, 3, 64, 64))
    assert torch.allclose(network.body.fc(features.mean((2, 3))), logits, atol=1e-5)


def test_only_resnets() -> None:
    with pytest.raises(ValidationError, match="into ResNets only, such as resnet50, not into 'vgg16'"):
        CBAM(arch="vgg16")


def test_the_small_networks_residual_blocks_can_be_attended() -> None:
    body = Small(blocks=("cbam", "residual", "plain", "plain")).build(3).body.eval()
    x = torch.rand(1, 16, 8, 8)
    branch = body.stage1.second[:2](body.stage1.first(x))
    expected = torch.relu(body.stage1.second[2](branch) + body.stage1.shortcut(x))
    assert isinstance(body.stage1.second[2], BlockAttention)
    assert torch.equal(body.stage1(x), expected)
    assert sum(isinstance(module, BlockAttention) for module in body.modules()) == 1
