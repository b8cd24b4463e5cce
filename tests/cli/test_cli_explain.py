"""``camforge explain``: overlay pictures for photographs, without a config."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from camforge.explanation.explain import explain
from camforge.explanation.photographs import IMAGENET, backbone, read_photograph
from camforge.host.registry import build
from camforge.pictures import overlay
from camforge.types import CamForgeError

FILE = ("--model", "squeezenet1_1", "--weights", "weights.pt")
Camforge = Callable[..., "tuple[int, str, str]"]


def photograph(path: Path, height: int = 240, width: int = 300, seed: int = 0, **options: object) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A squeezenet of seven classes, as a file."""
    torch.manual_seed(0)
    network = build("backbone", {"name": "torchvision", "arch": "squeezenet1_1"}).build(7)
    torch.save(network.body.state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def test_pictures_are_the_maps_over_the_photographs(camforge: Camforge, tmp_path: Path, weights: Path) -> None:
    files = [photograph(tmp_path / "a.png", seed=1), photograph(tmp_path / "b.png", 224, 224, seed=2)]
    options = ("--model", "squeezenet1_1", "--weights", weights, "--extractor", "gradcam,layercam", "--target", 3)
    code, out, err = camforge("explain", *files, *options, "--out", tmp_path / "out", "--device", "cpu")
    assert (code, err) == (0, "")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "a-gradcam-3.png", "a-layercam-3.png", "b-gradcam-3.png", "b-layercam-3.png",
    ]  # fmt: skip
    assert out.count(" layercam ") == out.count(" gradcam ") == 2
    network = backbone("squeezenet1_1", str(weights), None).eval()
    for file in files:
        pixels = read_photograph(file)
        values = explain(network, IMAGENET.normalise(pixels[None]), [3], "gradcam").maps[0]
        found = np.asarray(Image.open(tmp_path / "out" / f"{file.stem}-gradcam-3.png"))
        assert np.array_equal(found, overlay(pixels, values).permute(1, 2, 0).numpy())


def test_the_highest_output_is_explained_by_default(camforge: Camforge, tmp_path: Path, weights: Path) -> None:
    file = photograph(tmp_path / "a.png")
    network = backbone("squeezenet1_1", str(weights), None).eval()
    best = int(network(IMAGENET.normalise(read_photograph(file)[None])).argmax())
    camforge("explain", file, "--model", "squeezenet1_1", "--weights", weights, "--out", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == [f"a-gradcam-{best}.png"]


def test_a_wrapped_state_dict_tells_its_outputs_too(tmp_path: Path, weights: Path) -> None:
    torch.save({"state_dict": torch.load(weights, weights_only=True), "epoch": 3}, tmp_path / "wrapped.pt")
    wrapped, plain = (backbone("squeezenet1_1", str(path), None) for path in (tmp_path / "wrapped.pt", weights))
    assert torch.equal(wrapped.class_features(), plain.class_features())


def test_a_broken_photograph_among_good_ones_is_named(camforge: Camforge, tmp_path: Path, weights: Path) -> None:
    good, bad = photograph(tmp_path / "good.png"), tmp_path / "bad.jpg"
    bad.write_bytes(b"not a picture")
    options = ("--model", "squeezenet1_1", "--weights", weights, "--out", tmp_path / "out")
    code, out, err = camforge("explain", bad, good, *options)
    assert code == 0
    assert "good.png" in out
    assert err.startswith(f"skipped: {bad}: cannot be read as an image (cannot identify image file ")
    code, out, err = camforge("explain", bad, *options)
    assert (code, out) == (2, "")


def test_equal_names_do_not_overwrite_one_another(camforge: Camforge, tmp_path: Path, weights: Path) -> None:
    (tmp_path / "other").mkdir()
    files = [photograph(tmp_path / "a.png"), photograph(tmp_path / "other" / "a.png", seed=5)]
    options = ("--model", "squeezenet1_1", "--weights", weights, "--target", 0, "--out", tmp_path / "out")
    camforge("explain", *files, *options)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a-gradcam-0-2.png", "a-gradcam-0.png"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--model", "squeezenet1_2"), "unknown model 'squeezenet1_2'; did you mean 'squeezenet1_1'? known: "),
        (
            ("--model", "squeezenet1_1", "--weights", "nothing.pt"),
            "weights 'nothing.pt' for squeezenet1_1: no such file",
        ),
        (("--model", "small", "--weights", "w.pt"), "backbone: weights: unknown option; "),
        (("--model", "small"), "model 'small' has no trained weights: its maps would mean nothing\n"),
        (
            ("--model", "vgg_gap"),
            "model 'vgg_gap' has no trained weights: its maps would mean nothing; give --weights\n",
        ),
        ((*FILE, "--extractor", "gradcan"), "unknown extractor 'gradcan'; did you mean 'gradcam'?"),
        ((*FILE, "--extractor", ","), "no extractor was named"),
        ((*FILE, "--target", "7"), "target 7 of image 0: the model has outputs 0 to 6"),
        ((*FILE, "--device", "tpu3"), "unknown device 'tpu3'; allowed: auto, cpu, cuda"),
        ((*FILE, "--outputs", "9"), "--outputs 9: the head of the weights 'weights.pt' has 7 outputs"),
        (("none.png", "other.png", *FILE), "no such file: none.png, other.png\n"),
        (("none.png", "--model", "resnet18"), "no such file: none.png\n"),
    ],
)
def test_a_mistake_is_one_line(
    camforge: Camforge, weights: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], expected: str
) -> None:
    tmp_path = weights.parent
    monkeypatch.chdir(tmp_path)
    code, out, err = camforge("explain", photograph(tmp_path / "a.png"), *options, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err.startswith(f"camforge: {expected}")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "CMYK", "P", "1", "I;16"])
def test_photographs_of_every_mode(tmp_path: Path, mode: str) -> None:
    gradient = np.linspace(0, 255, 240, dtype=np.uint8)[:, None].repeat(240, 1)
    if mode == "I;16":
        Image.fromarray(gradient.astype(np.uint16) * 257).save(tmp_path / "a.png")
    else:
        Image.fromarray(gradient).convert("RGB").convert(mode).save(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"))
    (file,) = tmp_path.iterdir()
    pixels = read_photograph(file)
    assert pixels.shape == (3, 224, 224)
    columns = pixels.float().mean((0, 2))
    assert columns[-1] - columns[0] > 200, "the dark end is dark, the bright end bright"


def test_a_photograph_stands_upright(tmp_path: Path) -> None:
    gradient = np.linspace(0, 255, 224, dtype=np.uint8)[:, None].repeat(224, 1)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees: the bright bottom becomes the left
    Image.fromarray(gradient).convert("RGB").save(tmp_path / "a.jpg", exif=exif)
    rows = read_photograph(tmp_path / "a.jpg").float().mean((0, 1))
    assert rows[0] > 200 > 50 > rows[-1]


@pytest.mark.parametrize("size", [(1, 1), (1, 20000)])
def test_photographs_of_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    assert read_photograph(photograph(tmp_path / "a.png", *size)).shape == (3, 224, 224)


def test_damaged_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = photograph(tmp_path / "a.jpg").read_bytes()
    for name, content in (("cut.jpg", whole[: len(whole) // 2]), ("empty.jpg", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CamForgeError, match=f"{name}: cannot be read as an image "):
            read_photograph(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)
    with pytest.raises(CamForgeError, match=r"a\.jpg: cannot be read as an image .*decompression bomb"):
        read_photograph(tmp_path / "a.jpg")
    with pytest.raises(CamForgeError, match="cannot be read"):
        read_photograph(tmp_path)
