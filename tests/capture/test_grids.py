"""Token grids and channels-last maps told from their shape; stages found by themselves."""

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import efficientnet_b0, get_model, vgg19
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.models.vision_transformer import VisionTransformer

import camforge
from camforge import CamForgeError, build
from camforge.capture import ModelLayers, extract_maps, stages_of


def alive(model: nn.Module) -> nn.Module:
    """No parameter is all zero: a fresh vision transformer's head is."""
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, 0, 0.3)
    return model.eval()


@pytest.fixture
def vit() -> VisionTransformer:
    """Non-square images are what torchvision's own position embedding does not know: it is made for 4 x 4 patches."""
    return alive(VisionTransformer(32, 8, 4, 2, 16, 32, num_classes=5))


def swin() -> SwinTransformer:
    return alive(SwinTransformer([4, 4], 8, [1, 1], [2, 2], [4, 4], num_classes=5))


def convnext() -> ConvNeXt:
    return alive(ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=5))


class Tokens(nn.Module):
    """Patches as tokens, others before and behind them, mixed a little; the head reads all."""

    def __init__(self, patch: tuple[int, int], before: int, behind: int, channels: int = 16) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, channels, patch, patch)
        self.before, self.behind = (nn.Parameter(torch.randn(1, n, channels)) for n in (before, behind))
        self.norm, self.head = nn.LayerNorm(channels), nn.Linear(channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        rows = (len(x), -1, -1)
        tokens = torch.cat([self.before.expand(rows), tokens, self.behind.expand(rows)], 1)
        return self.head(self.norm(tokens + tokens.mean(1, keepdim=True)).mean(1))


PATCHES = [(8, 8, 64, 64), (8, 8, 48, 96), (16, 4, 64, 64), (4, 16, 32, 64)]


@pytest.mark.parametrize(("before", "behind"), [(0, 0), (1, 0), (5, 0), (9, 0), (1, 4), (0, 8), (3, 3)])
@pytest.mark.parametrize(("down", "across", "height", "width"), PATCHES)
def test_tokens_lie_on_the_grid_that_the_patches_have(down, across, height, width, before: int, behind: int) -> None:
    model, kept = Tokens((down, across), before, behind), []
    images = torch.randn(2, 3, height, width)
    model.norm.register_forward_hook(lambda _m, _i, out: kept.append(out))
    model(images)
    h, w = height // down, width // across
    expected = kept[0][:, before : before + h * w].reshape(2, h, w, 16).permute(0, 3, 1, 2)
    found = ModelLayers(model, (images,)).grids((images,))(kept[0], "norm")
    assert torch.equal(found, expected)


class Dropped(Tokens):
    """A third of the tokens, drawn once, as a network that prunes them keeps."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        kept = torch.randperm(tokens.shape[1], generator=torch.Generator().manual_seed(1))[: self.count].sort().values
        return self.head(self.norm(tokens[:, kept]).mean(1))


@pytest.mark.parametrize("count", [49, 36, 48, 60])  # 49 and 36 form a square, 48 a grid of 6 x 8
def test_tokens_that_were_dropped_are_an_error(count: int) -> None:
    model = Dropped((8, 8), 0, 0)
    model.count = count
    with pytest.raises(CamForgeError, match=rf"layer 'norm' returns \(2, {count}, 16\): its places do not follow"):
        camforge.explain(model, torch.randn(2, 3, 64, 64), 0, {"name": "gradcam", "layers": ["norm"]})


@pytest.mark.parametrize("make", [swin, convnext])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 64), (64, 32)])
def test_every_layer_of_swin_and_convnext_is_brought_to_channels_first(make, height: int, width: int) -> None:
    model, image = make(), torch.randn(1, 3, height, width)
    outputs: dict[str, Tensor] = {}
    for name in ("features.1", "features.2", "features.3"):
        model.get_submodule(name).register_forward_hook(lambda _m, _i, out, name=name: outputs.update({name: out}))
    grids = ModelLayers(model, (image,)).grids((image,))
    grids.layout("features.1")
    with torch.no_grad():
        model(image)
    for stride, name in ((4, "features.1"), (8, "features.2"), (8, "features.3")):
        expected = (1, 8 if stride == 4 else 16, height // stride, width // stride)
        assert grids(outputs[name], name).shape == expected
        if make is swin:
            assert torch.equal(grids(outputs[name], name), outputs[name].permute(0, 3, 1, 2))


def test_gradcam_of_a_vision_transformer(vit) -> None:
    """Against the formula on the raw tokens of the last block's first norm."""
    images, kept = torch.randn(2, 3, 32, 32), []
    assert stages_of(vit, images)[-1] == "encoder.layers.encoder_layer_3.ln_1"
    handle = vit.encoder.layers[3].ln_1.register_forward_hook(lambda _m, _i, out: kept.append(out))
    score = vit(images)[:, 2].sum()
    handle.remove()
    tokens, gradient = kept[0][:, 1:], torch.autograd.grad(score, kept[0])[0][:, 1:]
    expected = (tokens * gradient.mean(1, keepdim=True)).sum(2).relu().reshape(2, 4, 4)
    (found,) = extract_maps(vit, images, [build("extractor", "gradcam")], 2).maps[0]
    torch.testing.assert_close(found, expected.detach())
    assert found.abs().sum() > 0


def test_known_and_found_stages() -> None:
    image = torch.zeros(1, 3, 64, 64)
    with torch.device("meta"):
        vgg = vgg19()
    assert stages_of(vgg, image) == tuple(f"features.{i}" for i in (3, 8, 17, 26, 35))
    assert stages_of(efficientnet_b0(), image) == tuple(f"features{i}" for i in (".1", ".2", ".3", ".5", ""))
    shuffle = get_model("shufflenet_v2_x0_5")
    shuffle.train()
    assert stages_of(shuffle, image) == ("conv1", "maxpool", "stage2", "stage3", "conv5")
    assert all(module.training for module in shuffle.modules())


class Volume(nn.Module):
    """A classifier of volumes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv3d(2, 4, 3), nn.Conv3d(4, 5, 3, stride=2)
        self.bn, self.head = nn.BatchNorm3d(5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.bn(self.conv2(self.conv1(x).relu())).relu().mean((2, 3, 4)))


def test_volumes() -> None:
    """(P, d, h, w) maps; every spatial mean and sum runs over three axes."""
    model, volumes = Volume().double().eval(), torch.randn(2, 2, 7, 8, 9, dtype=torch.float64)
    kept = []
    handle = model.conv2.register_forward_hook(lambda _m, _i, out: kept.append(out))
    score = model(volumes)[:, 1].sum()
    handle.remove()
    a, g = kept[0].detach(), torch.autograd.grad(score, kept[0])[0]
    total = a.sum((2, 3, 4), keepdim=True)
    expected = {
        "gradcam": (g.mean((2, 3, 4), keepdim=True) * a).sum(1).relu(),
        "layercam": (g.relu() * a).sum(1).relu(),
        "xgradcam": ((g * a).sum((2, 3, 4), keepdim=True) / total * a).sum(1).relu(),
        "gradcampp": ((g.relu() / (2 + total * g)).sum((2, 3, 4), keepdim=True) * a).sum(1).relu(),
    }
    specs = [{"name": name, "layers": ["conv2"]} for name in expected]
    found = extract_maps(model, volumes, [build("extractor", spec) for spec in specs], 1)
    for name, (values,) in zip(expected, found.maps, strict=True):
        torch.testing.assert_close(values, expected[name])
    merged = camforge.explain(model, volumes, 1, {"name": "fullgrad", "complete": 1e-6})
    assert merged.maps.shape == (2, 7, 8, 9)
    others = ["eigencam", "fem", "scorecam", "ablationcam", "random", "shapleycam", "kpcacam"]
    explained = camforge.explain(model, volumes, 1, [{"name": name, "layers": ["conv2"]} for name in others])
    assert all(e.maps.shape == (2, 7, 8, 9) and torch.isfinite(e.maps).all() for e in explained.values())
