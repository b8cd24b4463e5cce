"""Every extractor on ten families of torchvision: finite maps; the model bit by bit as it was, also after an error."""

import warnings

import pytest
import torch
import torchvision.models as tv
from extractor_references import ATTENTION
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.densenet import DenseNet
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.models.vgg import VGG, make_layers
from torchvision.models.vision_transformer import VisionTransformer

from camforge import CamForgeError, build
from camforge.api import RerunExtractor, stages_of
from camforge.capture import Capture, extract_maps
from camforge.host.registry import registry


def vgg() -> nn.Module:
    model = VGG(make_layers([8, "M", 8, "M", 16], batch_norm=True), num_classes=5, init_weights=False)
    model.classifier = nn.Sequential(nn.Linear(16 * 49, 12), nn.ReLU(True), nn.Dropout(), nn.Linear(12, 5))
    return model


FAMILIES = {
    "resnet": lambda: ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5),
    "vgg": vgg,
    "densenet": lambda: DenseNet(4, (2, 2, 2, 2), 8, num_classes=5),
    "mobilenet_v2": lambda: tv.mobilenet_v2(num_classes=5, width_mult=0.1),
    "mobilenet_v3": lambda: tv.mobilenet_v3_small(num_classes=5, width_mult=0.25),
    "shufflenet": lambda: tv.ShuffleNetV2([1, 2, 1], [8, 16, 32, 64, 32], num_classes=5),
    "squeezenet": lambda: tv.squeezenet1_1(num_classes=5),
    "convnext": lambda: ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=5),
    "swin": lambda: SwinTransformer([4, 4], 8, [1, 1], [2, 2], [4, 4], num_classes=5),
    "vit": lambda: VisionTransformer(64, 16, 2, 2, 16, 32, num_classes=5),
}
SECOND_HEADS = {
    "pixels",
    "affinitywalk",
    "boundarywalk",
    "lpcam",
}  # extractors that read what only seed trainers add to a network

SMALL = {
    "rise": {"samples": 3}, "drise": {"samples": 3}, "occlusion": {"patch": 48, "stride": 32},
    "beside": {"extractors": ["gradcam"]}, "sscam": {"samples": 1},
    "iscam": {"steps": 1}, "smoothgradcampp": {"samples": 1},
}  # fmt: skip
GAP_HEADS = {"resnet", "mobilenet_v2", "shufflenet", "swin"}  # the last stage, a mean and a linear layer


def random_network(family: str) -> nn.Module:
    """In the state in which a user may leave it: partly frozen, partly training, with gradients and a hook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = FAMILIES[family]()
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, 0, 0.2)
    model.eval()
    parameters, modules = list(model.parameters()), list(model.modules())
    parameters[0].requires_grad_(False)
    parameters[-1].grad = torch.ones_like(parameters[-1])
    modules[len(modules) // 2].train()
    modules[-1].register_forward_hook(lambda _m, _i, _o: None)
    return model


class Broken:
    """What another extractor does, and then an exception."""

    scales, flip, views = (1.0,), False, "sum"

    def __init__(self, inner) -> None:
        self.needs, self.inner = inner.needs, inner

    def extract(self, capture: Capture) -> list[Tensor]:
        self.inner.extract(capture)
        raise RuntimeError("injected")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_extractor_leaves_the_model_as_it_was(family: str, unchanged) -> None:
    model, images = random_network(family), torch.randn(2, 3, 64, 64)
    check, rectified = unchanged(model), any(isinstance(m, nn.ReLU | nn.ReLU6) for m in model.modules())
    few_channels = {"layers": stages_of(model, images)[:1]}
    for name, offer in registry().plugins["extractor"].items():
        if name in SECOND_HEADS:  # they read networks with another head, none of these
            continue
        options = (few_channels if issubclass(offer.cls, RerunExtractor) else {}) | SMALL.get(name, {})
        extractor = build("extractor", {"name": name, **options})
        impossible = (name in ATTENTION and family != "vit") or (name in ("cam", "ccam") and family not in GAP_HEADS)
        impossible |= name in ("guidedbackprop", "guidedgradcam") and not rectified
        for one, error in ((extractor, None), (Broken(extractor), RuntimeError)):
            if impossible or error:
                with pytest.raises(CamForgeError if impossible else RuntimeError):
                    extract_maps(model, images, [one], 1)
            else:
                (found, *_) = extract_maps(model, images, [one], 1).maps[0]
                assert found.shape[0] == 2
                assert torch.isfinite(found).all(), name
        check()


@pytest.mark.parametrize("name", sorted({*registry().plugins["extractor"]} - SECOND_HEADS))
def test_no_pair_gives_no_map_of_the_right_size(name: str) -> None:
    model, images = random_network("vit" if name in ATTENTION else "resnet"), torch.randn(2, 3, 64, 64)
    extractor = build("extractor", {"name": name, **SMALL.get(name, {})})
    some, none = (extract_maps(model, images[:1], [extractor], t).maps[0] for t in ([[2]], [[]]))
    assert [m.shape[1:] for m in some] == [m.shape[1:] for m in none]
    assert all(m.shape[0] == 0 for m in none)


@pytest.mark.parametrize("family", FAMILIES)
def test_all_gradient_extractors_at_once_equal_each_alone(family: str) -> None:
    model, images = random_network(family), torch.randn(2, 3, 64, 64)
    names = ["gradcam", "gradcampp", "layercam", "xgradcam", "finercam", "shapleycam", "fullgrad", "ltgradcam"]
    extractors = [build("extractor", name) for name in names]
    together = extract_maps(model, images, extractors, [[1, 2], [3]])
    for name, extractor, found in zip(names, extractors, together.maps, strict=True):
        alone = extract_maps(model, images, [extractor], [[1, 2], [3]]).maps[0]
        for one, other in zip(found, alone, strict=True):
            assert (one - other).abs().max() <= 1e-4 * other.abs().max(), name
