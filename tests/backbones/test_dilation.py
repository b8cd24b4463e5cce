"""Backbones with a finer last grid."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from camforge.api import CamForgeError, Network
from camforge_plugins.backbones.dilation import dilate
from camforge_plugins.backbones.torchvision_models import Torchvision
from camforge_plugins.backbones.vgg_gap import VGGGap

ARCHS = ["resnet18", "resnet50", "vgg11", "mobilenet_v2"]


def built(arch: str, output_stride: int) -> Network:
    """Batch norms have the statistics of one batch, so that what leaves the last layer is neither huge nor nothing."""
    torch.manual_seed(4)
    network = Torchvision.model_validate({"arch": arch}).build(3)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 64, 64))
    changed = Torchvision.model_validate({"arch": arch, "output_stride": output_stride}).build(3)
    changed.load_state_dict(network.state_dict())
    return changed.eval()


def last_grid(network: Network, images: Tensor) -> Tensor:
    """What leaves the last module with places, VGG's last pool among them."""
    kept = []
    name = "features" if hasattr(network.body, "features") else network.stages[-1]
    handle = network.body.get_submodule(name).register_forward_hook(lambda _m, _i, out: kept.append(out))
    with torch.no_grad():
        network(images)
    handle.remove()
    return kept[0]


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("output_stride", [8, 16])
def test_the_old_grid_is_every_nth_place_of_the_finer_one(arch: str, output_stride: int) -> None:
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    plain, fine = built(arch, 32), built(arch, output_stride)
    assert plain.stages == fine.stages
    for (name, weight), (same, other) in zip(plain.state_dict().items(), fine.state_dict().items(), strict=True):
        assert name == same
        torch.testing.assert_close(other, weight, rtol=0, atol=0)
    coarse, grid = last_grid(plain, images), last_grid(fine, images)
    assert coarse.shape[2:] == (2, 3)
    assert grid.shape[2:] == (64 // output_stride, 96 // output_stride)
    step = 32 // output_stride
    torch.testing.assert_close(grid[..., ::step, ::step], coarse, rtol=1e-4, atol=1e-5 * float(coarse.abs().max()))
    assert (grid[..., 1:2, 1:2] - grid[..., :1, :1]).abs().max() > 1e-3 * coarse.abs().max()  # no copies


def test_stride_32_is_the_network_itself() -> None:
    images = torch.randn(1, 3, 64, 64)
    from torchvision.models import mobilenet_v2

    plain = mobilenet_v2(num_classes=3).eval()
    network = built("mobilenet_v2", 32)
    plain.load_state_dict(network.body.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(network(images), plain(images), rtol=0, atol=0)


def test_resnet50_is_torchvisions_own_dilated_one() -> None:
    from torchvision.models import resnet50

    network = built("resnet50", 8)
    theirs = resnet50(num_classes=3, replace_stride_with_dilation=[False, True, True]).eval()
    theirs.load_state_dict(network.body.state_dict())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network(images), theirs(images))


def slow_dilated(values: Tensor, weight: Tensor, apart: int) -> Tensor:
    """(H, W), (3, 3) -> (H, W): the 3x3 product over places ``apart`` cells from each other, 0 outside."""
    height, width = values.shape
    out = torch.zeros_like(values)
    for y in range(height):
        for x in range(width):
            for v in range(3):
                for u in range(3):
                    row, column = y + (v - 1) * apart, x + (u - 1) * apart
                    if 0 <= row < height and 0 <= column < width:
                        out[y, x] += weight[v, u] * values[row, column]
    return out


def test_what_comes_behind_looks_further_apart() -> None:
    body = nn.Sequential(
        nn.Conv2d(3, 1, 1, stride=8, bias=False), nn.Conv2d(1, 1, 3, stride=2, padding=1, bias=False),
        nn.Conv2d(1, 1, 3, padding=1, bias=False),
    ).double()  # fmt: skip
    body.float()
    dilate(body, 8, "three layers")
    body.double()
    image = torch.randn(1, 3, 56, 56, dtype=torch.float64)
    first = conv2d(image, body[0].weight, stride=8)[0, 0]
    second = slow_dilated(first, body[1].weight[0, 0], 1)
    third = slow_dilated(second, body[2].weight[0, 0], 2)
    torch.testing.assert_close(body(image)[0, 0], third)


def test_vgg_gap_at_stride_8() -> None:
    images = torch.randn(1, 3, 64, 64)
    torch.manual_seed(2)
    plain = VGGGap().build(3).eval()
    torch.manual_seed(2)
    fine = VGGGap.model_validate({"output_stride": 8}).build(3).eval()
    coarse, grid = plain.features(images)[1], fine.features(images)[1]
    assert (coarse.shape[-1], grid.shape[-1]) == (4, 8)
    torch.testing.assert_close(grid[..., ::2, ::2], coarse, rtol=1e-4, atol=1e-5)


def test_a_network_that_cannot_be_dilated_is_one_line() -> None:
    with pytest.raises(CamForgeError, match=r"backbone densenet121: output_stride=16 cannot change its layer '.*pool'"):
        built("densenet121", 16)
