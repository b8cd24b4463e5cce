"""Test-time augmentation, normalisers, and maps that tell nothing."""

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

import camforge
from camforge import CamForgeError, build
from camforge.api import max_normalise, minmax_normalise
from camforge.capture import extract_maps
from camforge.explanation.explain import MapWarning


@pytest.fixture
def model() -> nn.Module:
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(inplace=True), *head).double()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 12, 16, dtype=torch.float64)


TARGETS = [[0, 2], [1]]


def maps_of(model: nn.Module, images: Tensor, **options) -> Tensor:
    extractor = build("extractor", {"name": "layercam", "layers": ["1"], **options})
    return extract_maps(model, images, [extractor], TARGETS).maps[0][0]


def test_flip_adds_the_mirrored_map_of_the_mirrored_image(model, images) -> None:
    plain, mirrored = maps_of(model, images), maps_of(model, images.flip(-1)).flip(-1)
    assert not torch.allclose(plain, mirrored)
    torch.testing.assert_close(maps_of(model, images, flip=True), plain + mirrored)
    torch.testing.assert_close(maps_of(model, images, flip=True, tta_merge="max"), torch.maximum(plain, mirrored))


def test_scales_come_back_to_the_largest(model, images) -> None:
    sizes = ((18, 24), (6, 8))
    large, small = (
        maps_of(model, interpolate(images, size=size, mode="bilinear", align_corners=False)) for size in sizes
    )
    back = interpolate(small[:, None], size=large.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(maps_of(model, images, scales=[0.5, 1.5]), large + back)


def test_targets_left_open_are_those_of_the_plain_image(model, images) -> None:
    extractors = [build("extractor", {"name": "gradcam", "layers": ["1"], "scales": [0.5], "flip": True})]
    found = extract_maps(model, images, extractors)
    assert found.targets.tolist() == model(images).argmax(1).tolist()
    torch.testing.assert_close(found.logits, model(images))


def test_augmented_and_plain_extractors_share_a_call(model, images) -> None:
    specs = [{"layers": ["1"], "name": "layercam"}, {"layers": ["1"], "name": "layercam", "flip": True}, "random"]
    found = extract_maps(model, images, [build("extractor", spec) for spec in specs], TARGETS)
    torch.testing.assert_close(found.maps[0][0], maps_of(model, images))
    torch.testing.assert_close(found.maps[1][0], maps_of(model, images, flip=True))
    assert len(found.maps) == 3


@pytest.mark.parametrize("name", ["scorecam", "ablationcam", "fullgrad", "eigencam", "shapleycam"])
def test_every_kind_of_extractor_can_be_augmented(model, images, name: str) -> None:
    plain = extract_maps(model, images, [build("extractor", name)], TARGETS).maps[0][0]
    mirrored = extract_maps(model, images.flip(-1), [build("extractor", name)], TARGETS).maps[0][0].flip(-1)
    both = extract_maps(model, images, [build("extractor", {"name": name, "flip": True})], TARGETS).maps[0][0]
    torch.testing.assert_close(both, plain + mirrored)


def test_normalisers_by_name(model, images) -> None:
    extractor = {"name": "hirescam", "layers": ["1"]}
    raw = camforge.explain(model, images, 0, extractor).maps
    assert raw.min() < 0
    for name, function in (("max", max_normalise), ("minmax", minmax_normalise)):
        found = camforge.explain(model, images, 0, extractor, normalise=name)
        torch.testing.assert_close(found.maps, function(raw))
    with pytest.raises(CamForgeError, match="normalise='softmax'; allowed: none, max, minmax"):
        camforge.explain(model, images, 0, extractor, normalise="softmax")


def test_normalisers_keep_zero_maps_zero_and_nan_maps_nan() -> None:
    maps = torch.stack([torch.zeros(2, 2), torch.tensor([[1.0, torch.nan], [0, 2]]), torch.tensor([[1.0, 3], [0, 2]])])
    for function in (max_normalise, minmax_normalise):
        found = function(maps)
        assert found[0].tolist() == [[0, 0], [0, 0]]
        assert found[1].isnan().any()
        torch.testing.assert_close(found[2], maps[2] / 3)


def test_empty_and_broken_maps_are_counted_and_named(model, images) -> None:
    with torch.no_grad():
        model[4].weight[1] = -model[4].weight[1].abs()
        model[4].weight[0] = model[4].weight[0].abs()
    with pytest.warns(MapWarning, match=r"gradcam: 1 of 3 maps are zero everywhere: image 1 target 1"):
        camforge.explain(model, images, [[0, 0], [1]], {"name": "gradcam", "layers": ["1"]})
    with torch.no_grad():
        model[4].weight[2], model[4].bias[2] = 0, 0
    with pytest.warns(MapWarning, match=r"ablationcam: 1 of 2 maps are not finite: image 0 target 2"):
        found = camforge.explain(model, images, [2, 0], {"name": "ablationcam", "layers": ["1"]}, normalise="max")
    assert found.maps[0].isnan().any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        camforge.explain(model, images, 0, {"name": "gradcam", "layers": ["1"]})
