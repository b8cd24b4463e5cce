"""Extractors, fusers and metrics tell on a GPU what they tell on the CPU."""

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
import torchvision
from extractor_references import ATTENTION
from torch import Tensor, nn

from camforge import build
from camforge.capture import extract_maps
from camforge.host.registry import registry
from camforge.testing.examples import example_images, example_maps, example_metric_input, example_network
from camforge.types import Batch

TARGETS = [[0, 1], [2], [3, 4]]
LEARNED: dict[str, dict[str, Any]] = {
    "pixels": {"name": "pixels", "hidden": 8},
    "affinitywalk": {"name": "affinity", "hidden": 8},
    "boundarywalk": {"name": "irn", "hidden": 8},
    "lpcam": {"name": "lpcam", "clusters": 4},
}
"""Extractors that read what a trainer has added to a network."""
SEEDS = {"trainer": {"name": "single", "backbone": "small"}, "extractor": {"name": "layercam"}}
JUMPING = ("ltfullgrad", "ltgradcam", "ltlayercam")
"""A percentile's place falls to one of two gradients by their last digit."""
OPTIONS: dict[str, dict[str, Any]] = {
    "rise": {"samples": 20},
    "drise": {"samples": 20},
    "occlusion": {"patch": 6},
    "integratedgradcam": {"steps": 5},
    "boundarywalk": {"radius": 4, "steps": 8},
    "beside": {"extractors": [{"name": "sim", "layers": ["2", "5"]}, {"name": "layercam"}]},
}


def small_vit() -> nn.Module:
    model = torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=5
    )
    nn.init.normal_(model.heads[-1].weight)  # torchvision's is all zero
    return model.eval()


def network_for(name: str) -> nn.Module:
    if name in LEARNED:
        trainer = build("trainer", {"backbone": "small", "seeds": SEEDS} | LEARNED[name])
        learner = trainer.learner(5, pretrained=False).train()
        learner.losses(example_images(5, 32, 32), torch.rand(5, 5, 8, 8) * torch.eye(5)[..., None, None])
        return learner.eval().networks[0]
    return small_vit() if name in ATTENTION else example_network()


def maps_on(where: torch.device | str, name: str, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    torch.manual_seed(0)
    model = network_for(name).to(where, dtype)
    images = torch.randn(3, 3, 32, 32) if name in ATTENTION else example_images(3)
    extractor = build("extractor", {"name": name} | OPTIONS.get(name, {}))
    found = extract_maps(model, images.to(where, dtype), [extractor], TARGETS)
    assert all(layer.device.type == torch.device(where).type for layer in found.maps[0])
    return [layer.cpu() for layer in found.maps[0]]


@pytest.mark.parametrize("name", sorted(registry().plugins["extractor"]))
def test_extractors(device: torch.device, name: str) -> None:
    """In float64: kernels round differently, and a map may hang on the last digit of float32."""
    for found, expected in zip(maps_on(device, name), maps_on("cpu", name), strict=True):
        peak = expected.abs().max().clamp(min=1e-12)
        assert (found - expected).abs().max() <= (0.02 if name in JUMPING else 1e-6) * peak


@pytest.mark.parametrize("name", ["gradcam", "layercam", "fullgrad", "cam", "scorecam"])
def test_extractors_in_single_precision(device: torch.device, name: str) -> None:
    for found, expected in zip(
        maps_on(device, name, torch.float32), maps_on("cpu", name, torch.float32), strict=True
    ):  # fmt: skip
        assert (found - expected).abs().max() <= 2e-3 * expected.abs().max()


@pytest.mark.parametrize("name", sorted(registry().plugins["fuser"]))
def test_fusers(device: torch.device, name: str) -> None:
    fuser, maps = (
        build("fuser", {"name": name, "axis": "view"} if name in ("sum", "mean", "max") else name),
        example_maps(),
    )
    moved = {key: value.to(device) for key, value in vars(maps).items() if isinstance(value, Tensor)}
    found = fuser(replace(maps, **moved))
    assert found.values.device.type == device.type
    torch.testing.assert_close(found.values.cpu(), fuser(maps).values, rtol=1e-4, atol=1e-5)


def moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, tuple):
        return tuple(moved(one, device) for one in value)
    return value.to(device) if isinstance(value, Tensor) else value


@pytest.mark.parametrize("name", sorted(registry().plugins["metric"]))
def test_metrics(device: torch.device, name: str) -> None:
    metric, given = build("metric", name), example_metric_input()
    batch = Batch(**{field.name: moved(getattr(given.batch, field.name), device) for field in fields(Batch)})
    tensors = {key: moved(getattr(given, key), device) for key in ("maps", "images", "classes", "logits")}
    classes = ("cat", "dog", "horse")
    found = metric.compute(metric.update(replace(given, batch=batch, **tensors)).cpu(), classes)
    expected = metric.compute(metric.update(given), classes)
    assert found.keys() == expected.keys()
    for key, number in expected.items():
        assert found[key] == pytest.approx(number, rel=1e-4, abs=1e-6, nan_ok=True), key
