"""How networks run in extraction, and where decoded images lie, change numbers by rounding or not at all."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import camforge
from camforge import CamForgeError, build
from camforge.config.load import load
from camforge.config.schema import Extraction, Images
from camforge.pipeline.extraction.passes import Passes, ahead
from camforge.pipeline.session import Session, Splits
from camforge.progress.progress import Progress
from camforge.store.store import Store
from camforge.store.stored_maps import StoredMaps, load_maps
from camforge.types import Network

PLAIN = ["report.images=0"]


def arms(results: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(results)["arms"]
    return found


@pytest.mark.usefixtures("one_thread")
def test_images_decoded_at_each_use_give_the_numbers_to_the_digit(tiny: Path, tmp_path: Path, whole: bytes) -> None:
    overrides = [*PLAIN, "images.memory=0", "images.disk=0"]
    camforge.run(tiny, overrides=overrides, work_dir=tmp_path / "w", device="cpu", quiet=True)
    assert arms((tmp_path / "w/results.json").read_bytes()) == arms(whole)
    told = (tmp_path / "w/run.log").read_text()
    assert "64 train images: images.memory and images.disk have no room for them: they are decoded anew" in told


def entries(folder: Path) -> dict[str, StoredMaps]:
    return {path.parent.name: load_maps(path.parent) for path in folder.rglob("index.pt")}


@pytest.mark.parametrize(
    ("override", "least", "most"),
    [("extraction.autocast=bf16", 1e-5, 0.1), ("extraction.channels_last=true", 0, 1e-4)],
)
def test_maps_differ_by_their_rounding(tiny: Path, tmp_path: Path, override: str, least: float, most: float) -> None:
    """Networks are those of the first run; maps of another precision are never taken for its own."""
    only = [*PLAIN, "arms={baseline: {}}"]
    camforge.run(tiny, overrides=only, work_dir=tmp_path / "a", quiet=True)
    camforge.run(tiny, overrides=[*only, override], work_dir=tmp_path / "b", quiet=True)
    (first,), (second,) = (list(entries(tmp_path / name).items()) for name in "ab")
    assert (first[0] != second[0]) == ("autocast" in override)
    expected, found = first[1].maps[0][0][:], second[1].maps[0][0][:]
    away = float((found - expected).abs().max() / expected.abs().max())
    assert least <= away <= most


def passes(size: int, **options: Any) -> Passes:
    asked = SimpleNamespace(extraction=Extraction(**options))
    session: Any = SimpleNamespace(experiment=asked, device=torch.device("cpu"))
    return Passes([build("extractor", {"name": "layercam", "layers": "stages"})], session, "", size)


def network() -> Network:
    found: Network = build("backbone", {"name": "torchvision", "arch": "resnet18"}).build(4, pretrained=False).eval()
    return found


def batch_of(images: torch.Tensor) -> Any:
    return SimpleNamespace(images=images, ids=[str(i) for i in range(len(images))])


LABELS = torch.tensor([[True, False, True, False], [False, True, False, False], [False, False, False, True]])


def test_weights_cast_once_give_the_maps_of_weights_cast_in_each_call() -> None:
    """And the network that was trained keeps its own."""
    model, images = network(), torch.randn(3, 3, 64, 64)
    asked = passes(3, autocast="bf16")
    ready = asked.ready(model)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert ready.get_submodule("body.conv1").weight.dtype == torch.bfloat16
    found, expected = (asked.of(one, [0, 1, 2], batch_of(images), LABELS) for one in (ready, model))
    assert all(map(torch.equal, found.maps[0], expected.maps[0]))
    assert torch.equal(found.logits, expected.logits)


def test_maps_ahead_are_those_of_one_batch_after_another() -> None:
    model, images = network(), torch.randn(3, 3, 64, 64)
    asked = passes(2)
    batches = [([0, 1], batch_of(images[:2])), ([2], batch_of(images[2:]))]
    found = list(ahead((asked.start(model, *given, LABELS) for given in batches), 1))
    expected = [asked.of(model, *given, LABELS) for given in batches]
    assert [len(one.maps[0][0]) for one in found] == [3, 1]
    for one, other in zip(found, expected, strict=True):
        assert all(map(torch.equal, one.maps[0], other.maps[0]))


def test_what_the_checks_find_late_names_the_images() -> None:
    finish = passes(2).start(network(), [0, 1], batch_of(torch.full((2, 3, 64, 64), torch.nan)), LABELS)
    with pytest.raises(CamForgeError, match=r"NaN or infinite logits for images \[0, 1\] of the batch.*images 0 to 1"):
        finish()


class _Decoy(nn.Module):
    """Its head's weight is a parameter of its own; the linear layer of the same shape is never used."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.decoy = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)
        self.weight = nn.Parameter(torch.randn(4, 8))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(self.conv(images).mean((2, 3)), self.weight)


def test_what_is_run_once_more_runs_in_the_same_precision() -> None:
    """A head that was taken for another is noticed when the pass is through: with weights that are cast already."""
    images, asked = torch.randn(3, 3, 16, 16), passes(3, autocast="bf16")
    asked.extractors = [build("extractor", {"name": "gradcam", "layers": ["conv"]})]
    model: Any = _Decoy().eval()
    found = asked.of(asked.ready(model), [0, 1, 2], batch_of(images), LABELS).maps[0][0]
    activations = nn.functional.conv2d(images, model.conv.weight, model.conv.bias)
    pairs = [(0, 0), (0, 2), (1, 1), (2, 3)]
    expected = torch.stack([(activations[i] * model.weight[k, :, None, None] / 196).sum(0).relu() for i, k in pairs])
    torch.testing.assert_close(found, expected, rtol=0.05, atol=2e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU the option works: tests/gpu")
def test_a_decoder_that_is_not_there_is_one_line(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CamForgeError, match=r"^images\.decoder: 'gpu' needs an NVIDIA GPU, and torch finds none here"):
        camforge.run(tiny, overrides=["images.decoder=gpu"], work_dir=tmp_path, quiet=True)


@pytest.mark.parametrize(
    ("device", "images", "asked", "expected"),
    [
        ("cpu", {"size": 224}, None, 16),
        ("cuda", {"size": 224}, None, 128),
        ("cuda", {"size": [112, 448], "fit": "squash"}, None, 128),
        ("cuda", {"size": 448}, None, 32),
        ("cuda", {"size": 2048}, None, 16),
        ("cuda", {"size": 224}, 5, 5),
        ("cpu", {"size": 224}, 5, 5),
    ],
)
def test_a_batch_follows_the_device_unless_it_is_given(
    tiny: Path, tmp_path: Path, device: str, images: dict[str, object], asked: int | None, expected: int
) -> None:
    given = load(tiny).experiment
    experiment = given.model_copy(update={"images": Images.model_validate(images), "batch_size": asked})
    progress = Progress(quiet=True)
    store = Store(tmp_path / "store")
    assert (
        Session(experiment, Splits(experiment, progress), store, torch.device(device), progress).batch_size == expected
    )
