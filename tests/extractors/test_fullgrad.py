"""FullGrad: the authors' map, the equation's map, its terms, their completeness, truncation."""

import copy

import pytest
import torch
import torchvision
from torch import Tensor, nn

from camforge import CamForgeError, build
from camforge.api import Capture, Needs
from camforge.capture import extract_maps


class Terms:
    """The sum of each term, by name, for one pair; the map is a by-product."""

    scales, flip, views = (1.0,), False, "sum"

    def __init__(self, **options) -> None:
        self.fullgrad, self.sums = build("extractor", {"name": "fullgrad", **options}), {}

    def needs(self, model_layers) -> Needs:
        return self.fullgrad.needs(model_layers)

    def extract(self, capture: Capture) -> list[Tensor]:
        self.sums = {name: term.flatten(1).double().sum(1) for name, term in self.fullgrad.terms(capture)}
        return self.fullgrad.extract(capture)


def maps_of(model: nn.Module, images: Tensor, target: int, **spec) -> Tensor:
    return extract_maps(model, images, [build("extractor", {"name": "fullgrad", **spec})], target).maps[0][0]


def test_the_authors_map(tinynet, tiny) -> None:
    found = maps_of(tinynet, tiny["x"], 0)
    torch.testing.assert_close(found[0], tiny["fullgrad_author"], atol=1e-10, rtol=0)
    found = maps_of(tinynet.float(), tiny["x"].float(), 0)
    torch.testing.assert_close(found[0].double(), tiny["fullgrad_author"], atol=1e-4, rtol=0)


def test_the_equations_map(tinynet, tiny) -> None:
    found = maps_of(tinynet, tiny["x"], 0, psi="channel", input_term="raw")
    torch.testing.assert_close(found[0], tiny["fullgrad_seed_eq6"], atol=1e-7, rtol=0)


def test_terms_of_the_tiny_network(tinynet, tiny, core) -> None:
    terms = Terms()
    extract_maps(tinynet, tiny["x"], [terms], 0)
    sums = {name.removesuffix("#0"): float(value) for name, value in terms.sums.items()}
    assert sums == pytest.approx(core["fullgrad"]["terms"], abs=1e-10)
    assert sum(sums.values()) == pytest.approx(core["fullgrad"]["logit"], rel=1e-12)


def small_vgg16_bn() -> nn.Module:
    model = torchvision.models.vgg16_bn(num_classes=10, init_weights=False)
    model.classifier[0], model.classifier[3] = nn.Linear(512 * 49, 16), nn.Linear(16, 16)
    model.classifier[6] = nn.Linear(16, 10)
    return model


FAMILIES = {
    "resnet50": lambda: torchvision.models.resnet50(num_classes=10),
    "vgg16_bn": small_vgg16_bn,
    "mobilenet_v2": lambda: torchvision.models.mobilenet_v2(num_classes=10),
    "densenet121": lambda: torchvision.models.densenet121(num_classes=10),
}


def trained(model: nn.Module) -> nn.Module:
    """A fresh network's BatchNorms have no bias, implicit or not, and some linear layers none either: these have."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.bias, 0, 0.1)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return model.eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_terms_add_up_to_the_logit(family: str) -> None:
    """In float64 to rounding; in float32 to its digits of the terms' size, which cancel in the logit."""
    model, images = trained(FAMILIES[family]()), torch.randn(2, 3, 32, 32)
    for dtype, tolerance in ((torch.float32, 1e-4), (torch.float64, 1e-12)):
        terms = Terms()
        logits = extract_maps(model.to(dtype), images.to(dtype), [terms]).logits.amax(1).double()
        sums = torch.stack(list(terms.sums.values()))
        assert (sums != 0).double().mean() > 0.5  # the others are those of ReLU6 below 6
        assert ((sums.sum(0) - logits).abs() <= tolerance * sums.abs().sum(0)).all()


class Curved(nn.Module):
    """Layers that are not linear up to a constant, saturated ReLU6 included, and a reused module."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.conv, self.layer, self.mix, self.head = nn.Conv2d(3, 6, 3), layer, nn.Conv2d(6, 6, 1), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(self.layer(3 * self.conv(x)))
        return self.head(self.mix(self.layer(3 * x)).mean((2, 3)))


CURVED = [
    nn.GroupNorm(3, 6), nn.LayerNorm((5, 4)), nn.InstanceNorm2d(6), nn.BatchNorm2d(6, affine=False),
    nn.BatchNorm2d(6, track_running_stats=False), nn.ReLU6(inplace=True), nn.Hardswish(inplace=True),
    nn.SiLU(inplace=True), nn.GELU(),
    nn.ELU(), nn.Sigmoid(), nn.LeakyReLU(), nn.PReLU(),
]  # fmt: skip


@pytest.mark.parametrize("layer", CURVED, ids=lambda layer: type(layer).__name__)
def test_curved_layers_and_reused_modules_are_complete(layer: nn.Module) -> None:
    model = Curved(copy.deepcopy(layer)).double().eval()
    terms = Terms(complete=1e-10)
    images = torch.randn(1, 3, 7, 6, dtype=torch.float64)  # one: BatchNorm without statistics mixes images
    extract_maps(model, images, [terms], 1)
    assert {"mix#0", "mix#1"} <= terms.sums.keys()
    torch.testing.assert_close(sum(terms.sums.values()), model(images)[:, 1], rtol=1e-10, atol=1e-12)


def test_an_incomplete_model_is_named() -> None:
    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return self.head((x * x).mean((2, 3)))

    images = torch.randn(1, 3, 6, 6)
    with pytest.raises(CamForgeError, match="fullgrad: the terms miss the score by"):
        maps_of(Product(), images, 0, complete=1e-3)
    assert maps_of(Product(), images, 0).shape == (1, 6, 6)


def test_completeness_of_a_part_is_refused() -> None:
    with pytest.raises(CamForgeError, match="terms are missing by intention"):
        build("extractor", {"name": "fullgrad", "complete": 1e-3, "truncate": 10})


def test_named_layers_alone(gapnet, images) -> None:
    terms = Terms(layers=["conv2"])
    extract_maps(gapnet, images, [terms], 0)
    assert terms.sums.keys() == {"input", "conv2#0"}
    with pytest.raises(CamForgeError, match="fullgrad: layer 'relu1' has no bias"):
        maps_of(gapnet, images, 0, layers=["relu1"])
