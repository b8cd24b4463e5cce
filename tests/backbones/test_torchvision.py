"""torchvision's models: stages, heads, weights from files good and bad."""

import csv
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import torch
import torchvision
from torch.nn.functional import interpolate

from camforge.api import CamForgeError
from camforge.host.registry import build
from camforge_plugins.backbones import Torchvision

STAGES = {
    "resnet18": ("layer1", "layer2", "layer3", "layer4"),
    "mobilenet_v2": ("features.1", "features.3", "features.6", "features.13", "features.18"),
    "vgg16": ("features.3", "features.8", "features.15", "features.22", "features.29"),
    "squeezenet1_1": ("features.2", "features.5", "features.12"),
}
HEADS = {"resnet18": "fc", "mobilenet_v2": "classifier.1", "vgg16": "classifier.6", "squeezenet1_1": "classifier.1"}


@pytest.mark.parametrize("arch", STAGES)
def test_stages_and_head_are_those_of_the_papers(arch: str) -> None:
    network = Torchvision(arch=arch).build(3)
    assert network.stages == STAGES[arch]
    assert network.head == HEADS[arch]
    assert network.class_features().shape[0] == 3


@pytest.mark.parametrize("arch", ["vgg16_bn", "vgg19", "vgg19_bn"])
def test_vgg_stages_are_the_relus_before_the_pools(arch: str) -> None:
    with torch.device("meta"):  # the layout only: VGG's weights weigh half a gigabyte
        features = torchvision.models.get_model(arch, num_classes=2).features
    pools = [i for i, m in enumerate(features) if isinstance(m, torch.nn.MaxPool2d)]
    stages = Torchvision(arch=arch).build(2).stages
    assert stages == tuple(f"features.{i - 1}" for i in pools)
    assert all(isinstance(features[i - 1], torch.nn.ReLU) for i in pools)


@pytest.mark.parametrize("arch", ["googlenet", "inception_v3"])
def test_models_with_auxiliary_heads_return_plain_logits_in_training(arch: str) -> None:
    network = Torchvision(arch=arch).build(4).train()
    assert network(torch.randn(2, 3, 96, 96)).shape == (2, 4)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    def save(content: object) -> str:
        torch.save(content, tmp_path / "weights.pt")
        return str(tmp_path / "weights.pt")

    return save


def test_half_precision_weights_become_float32_and_the_head_starts_afresh(saved: Callable[..., str]) -> None:
    source = torchvision.models.resnet18(num_classes=10)
    half = {n: v.half() if v.is_floating_point() else v for n, v in source.state_dict().items()}
    same = Torchvision(arch="resnet18", weights=saved(half)).build(10)
    for name, value in same.body.state_dict().items():
        assert value.dtype == source.state_dict()[name].dtype
        torch.testing.assert_close(value, half[name].to(value.dtype), rtol=0, atol=0)
    other = Torchvision(arch="resnet18", weights=saved(half)).build(3)
    assert other.body.fc.weight.shape == (3, 512)
    torch.testing.assert_close(other.body.layer4[0].conv1.weight, half["layer4.0.conv1.weight"].float())


def test_checkpoints_that_wrap_a_state_dict_are_read(saved: Callable[..., str]) -> None:
    source = torchvision.models.squeezenet1_1(num_classes=2)
    wrapped = {"state_dict": {f"module.{n}": v for n, v in source.state_dict().items()}, "epoch": 3}
    network = Torchvision(arch="squeezenet1_1", weights=saved(wrapped)).build(2)
    torch.testing.assert_close(network.class_features(), source.classifier[1].weight.flatten(1))


def test_pretrained_false_does_not_touch_the_file() -> None:
    assert Torchvision(arch="squeezenet1_1", weights="nowhere.pt").build(2, pretrained=False).head == "classifier.1"


class Shell:
    def __reduce__(self) -> tuple:
        return os.system, ("touch ran_code",)


def test_a_pickle_that_wants_to_run_code_is_refused_and_does_not_run(
    saved: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CamForgeError, match=r"weights.pt': the file wants to run code \(\w+\.system\)"):
        Torchvision(arch="squeezenet1_1", weights=saved({"features.0.weight": Shell()})).build(2)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Shell(), protocol=2))
    with pytest.raises(CamForgeError, match=r"plain.pkl': the file wants to run code"):
        Torchvision(arch="squeezenet1_1", weights="plain.pkl").build(2)
    assert not (tmp_path / "ran_code").exists()


@pytest.mark.parametrize(
    "content", [b"", b"hello world", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(99), b"PK\x03\x04cut"]
)
def test_files_that_are_no_weights_are_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.pt").write_bytes(content)
    with pytest.raises(CamForgeError, match=r"weights '.*odd.pt'") as caught:
        Torchvision(arch="squeezenet1_1", weights=str(tmp_path / "odd.pt")).build(2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int32, torch.bool])
def test_weights_of_another_type_of_number_are_read_as_float32(dtype: torch.dtype, saved: Callable[..., str]) -> None:
    source = torchvision.models.squeezenet1_1(num_classes=2).state_dict()
    state = {name: (9 * value).to(dtype) for name, value in source.items()}
    own = Torchvision(arch="squeezenet1_1", weights=saved(state)).build(2).body.state_dict()
    assert all(own[name].dtype == torch.float32 and torch.equal(own[name], state[name].float()) for name in own)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: v.to(torch.complex64), "hold tensors that are not plain numbers: features.0.weight (complex), "),
        (lambda v: v.to_sparse(), "not plain numbers: features.0.weight (sparse), "),
        (lambda v: v.to("meta"), "not plain numbers: features.0.weight (without data), "),
        (
            lambda v: torch.quantize_per_tensor(v, 0.1, 0, torch.qint8),
            "not plain numbers: features.0.weight (quantized",
        ),
        (lambda v: v[None], "another architecture: of another shape: features.0.weight 1x64x3x3x3 instead of 64x3x3x3"),
        (lambda v: v.new_zeros(0), "another architecture: of another shape: features.0.weight 0 instead of 64x3x3x3"),
    ],
)
def test_weights_that_are_no_plain_numbers_are_refused(change: Callable, says: str, saved: Callable[..., str]) -> None:
    source = torchvision.models.squeezenet1_1(num_classes=2).state_dict()
    with pytest.raises(CamForgeError, match=re.escape(says)):
        Torchvision(arch="squeezenet1_1", weights=saved({n: change(v) for n, v in source.items()})).build(2)


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}])
def test_a_file_without_a_state_dict_says_what_it_holds(content: object, saved: Callable[..., str]) -> None:
    with pytest.raises(CamForgeError, match=rf"hold a {type(content).__name__}, not a state dict"):
        Torchvision(arch="squeezenet1_1", weights=saved(content)).build(2)


def test_weights_of_another_architecture_name_three_of_each(saved: Callable[..., str]) -> None:
    weights = torchvision.models.squeezenet1_0(num_classes=2).state_dict()
    with pytest.raises(
        CamForgeError, match=r"for resnet18 belong to another architecture: missing: conv1.weight, "
    ) as e:
        Torchvision(arch="resnet18", weights=saved(weights)).build(2)
    assert "unexpected: features.0.weight, features.0.bias, features.3.squeeze.weight and 49 more" in str(e.value)
    with pytest.raises(CamForgeError, match=r"of another shape: features.0.weight 96x3x7x7 instead of 64x3x3x3, "):
        Torchvision(arch="squeezenet1_1", weights=saved(weights)).build(2)


def test_unknown_names_come_with_what_is_known() -> None:
    with pytest.raises(CamForgeError, match=r"no classification model 'resnet5'; did you mean 'resnet50'"):
        build("backbone", {"name": "torchvision", "arch": "resnet5"})
    with pytest.raises(CamForgeError, match=r"weights 'IMAGENET' for resnet50: no such file.*IMAGENET1K_V2"):
        Torchvision(arch="resnet50", weights="IMAGENET").build(2)


@pytest.mark.parametrize(("arch", "size", "floor"), [("mobilenet_v2", 225, 0.6), ("squeezenet1_0", 227, 0.35)])
def test_real_weights_recognise_real_photographs(arch: str, size: int, floor: float, shared_data: Path) -> None:
    folder = shared_data / "imagenet_like"
    rows = list(csv.DictReader((folder / "labels.csv").open()))[::6]
    pixels = [cv2.imread(str(folder / "images" / row["file"]))[:, :, ::-1].copy() for row in rows]
    images = torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in pixels])
    images = interpolate(images / 255, size=(size, size), mode="bilinear", antialias=True)
    images = (images - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        3, 1, 1
    )
    network = (
        Torchvision(arch=arch, weights=str(shared_data / "weights" / f"{arch}_imagenet_fp16.pt")).build(1000).eval()
    )
    with torch.no_grad():
        guesses = network(images).argmax(1)
    right = guesses == torch.tensor([int(row["imagenet_index"]) for row in rows])
    assert right.float().mean() >= floor
