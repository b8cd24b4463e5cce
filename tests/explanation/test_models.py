"""Models by name: the library's own, with their preparation and names; nothing of them stays random unasked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from camforge import CamForgeError, build, explain, load_model
from camforge.explanation.recipe import recipe_of

timm = pytest.importorskip("timm", reason="timm is an extra")
transformers = pytest.importorskip("transformers", reason="transformers is an extra")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny classifier of transformers, as save_pretrained writes it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "my-vit"
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8,
        id2label={0: "cat", 1: "dog", 2: "bird"},
    )  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained(path)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(path)
    return path


def photograph() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (40, 56, 3), dtype=np.uint8)


def same(model: nn.Module, other: nn.Module) -> bool:
    state = other.state_dict()
    return all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_torchvision_from_a_file(tmp_path: Path) -> None:
    source = build("backbone", {"name": "torchvision", "arch": "squeezenet1_1"}).build(4).body
    torch.save({"model": source.state_dict()}, tmp_path / "a.pt")
    for name in ("torchvision:squeezenet1_1", "squeezenet1_1"):
        loaded = load_model(name, tmp_path / "a.pt")
        assert type(loaded).__name__ == "SqueezeNet"
        assert same(loaded, source)
        assert not loaded.training
    assert recipe_of(loaded).name == "squeezenet1_1"
    assert recipe_of(load_model("squeezenet1_1", "random")).classes[281] == "tabby"


def test_timm_from_a_file(tmp_path: Path) -> None:
    source = timm.create_model("resnet10t", num_classes=5)
    torch.save(
        {"state_dict_ema": {f"module.{n}": v for n, v in source.state_dict().items()}}, tmp_path / "last.pth.tar"
    )
    loaded = load_model("timm:resnet10t", tmp_path / "last.pth.tar")
    assert same(loaded, source)
    assert type(loaded) is type(source)
    found = explain(loaded, photograph(), top=2)
    assert (found.model, found.maps.shape, found.layers) == (
        "resnet10t",
        (2, 40, 56),
        explain(loaded, photograph()).layers,
    )
    headless = {n: v for n, v in source.state_dict().items() if not n.startswith("fc")}
    torch.save(headless, tmp_path / "b.pt")
    with pytest.raises(CamForgeError, match=r"model 'resnet10t': the weights '.*' hold no head for it"):
        load_model("timm:resnet10t", tmp_path / "b.pt")


def test_a_folder_of_transformers(folder: Path) -> None:
    loaded = load_model(f"hf:{folder}")
    assert same(loaded, transformers.ViTForImageClassification.from_pretrained(folder))
    found = explain(loaded, photograph(), ["dog"], select=lambda out: out.logits)
    assert (found.model, found.targets.tolist(), found.maps.shape) == ("my-vit", [1], (1, 40, 56))


def test_a_folder_without_a_head_is_refused(folder: Path, tmp_path: Path) -> None:
    config = transformers.AutoConfig.from_pretrained(folder)
    transformers.ViTModel(config).save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(written | {"architectures": ["ViTForImageClassification"]}))
    with pytest.raises(
        CamForgeError, match=r"the weights lack classifier\.\w+, classifier\.\w+, which would stay random"
    ):
        load_model(f"hf:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("timm:resnet10x", None, r"timm has no model 'resnet10x'; did you mean 'resnet10t'\?"),
        ("timm:resnet10t", "nothing.pt", "no such file of weights: nothing.pt"),
        ("torchvision:resnet19", None, r"torchvision has no model 'resnet19'; did you mean 'resnet18'\?"),
        ("resnet19", None, r"unknown model 'resnet19'; did you mean 'resnet18'\?"),
        ("small", None, "model 'small' has no trained weights"),
        ("hf:./nowhere", None, "hf:./nowhere: "),
        ("keras:vgg16", None, "unknown kind of model 'keras' in 'keras:vgg16'"),
    ],
)
def test_what_cannot_be_had_is_one_line(name: str, weights: str | None, message: str) -> None:
    with pytest.raises(CamForgeError, match=message) as caught:
        load_model(name, weights)
    assert "\n" not in str(caught.value)


def test_open_clip_names_its_weights() -> None:
    pytest.importorskip("open_clip", reason="open_clip is an extra")
    with pytest.raises(CamForgeError, match="open_clip:RN50 has no weights: name them, as in open_clip:RN50:TAG"):
        load_model("open_clip:RN50")
    with pytest.raises(CamForgeError, match=r"open_clip has no model 'RN51'; did you mean 'RN50'\?"):
        load_model("open_clip:RN51")


@pytest.mark.parametrize("name", ["timm", "transformers"])
def test_backbones_of_experiments(name: str, folder: Path) -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = {"arch": "resnet10t"} if name == "timm" else {"arch": str(folder)}
    plugin = build("backbone", {"name": name, **options})
    network = plugin.build(6)
    images = torch.randn(2, 3, 32, 32)
    logits, features = network.features(images)
    assert logits.shape == (2, 6)
    assert network.class_features().shape[0] == 6
    assert features.shape[0] == 2
    assert network.get_submodule(f"body.{network.head}").out_features == 6


def test_a_backbone_of_timm_starts_from_a_file_with_a_new_head(tmp_path: Path) -> None:
    source = timm.create_model("resnet10t", num_classes=5)
    torch.save(source.state_dict(), tmp_path / "a.pt")
    plugin = build("backbone", {"name": "timm", "arch": "resnet10t", "weights": str(tmp_path / "a.pt")})
    assert plugin.trained_outputs() == 5
    network = plugin.build(3)
    own = network.body.state_dict()
    assert torch.equal(own["layer4.0.conv1.weight"], source.state_dict()["layer4.0.conv1.weight"])
    assert own["fc.weight"].shape[0] == 3


def test_a_backbone_of_transformers_keeps_its_head_where_it_fits(folder: Path) -> None:
    plugin = build("backbone", {"name": "transformers", "arch": str(folder)})
    assert plugin.trained_outputs() == 3
    plain = transformers.ViTForImageClassification.from_pretrained(folder).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(plugin.build(3).eval()(images), plain(images).logits)
        assert plugin.build(4).eval()(images).shape == (2, 4)


def test_a_photograph_as_pil_and_as_a_path_are_one(folder: Path, tmp_path: Path) -> None:
    Image.fromarray(photograph()).save(tmp_path / "a.png")
    model = load_model(f"hf:{folder}")
    options: dict[str, Any] = {"select": lambda out: out.logits}
    by_path, by_pil = (
        explain(model, given, 0, **options) for given in (tmp_path / "a.png", Image.open(tmp_path / "a.png"))
    )
    assert torch.equal(by_path.maps, by_pil.maps)
