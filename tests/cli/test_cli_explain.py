"""``camforge explain``: pictures of maps over photographs, a contact sheet and a page, without a config."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from torchvision.transforms.functional import pil_to_tensor

from camforge import CamForgeError, explain, load_model
from camforge.capture.rerun import rerun_progress
from camforge.explanation.command import BoxOrder, Order, explain_files
from camforge.explanation.inputs import photographs_of
from camforge.explanation.methods import methods_of
from camforge.explanation.recipe import Recipe, attach, preparation
from camforge.explanation.targets import DetectedBox
from camforge.host.registry import build
from camforge.pictures import overlay, signed_overlay

FILE = ("--model", "squeezenet1_1", "--weights", "weights.pt")
Camforge = Callable[..., "tuple[int, str, str]"]


def photograph(path: Path, height: int = 240, width: int = 300, seed: int = 0) -> Path:
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A squeezenet of seven classes, as a file."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "weights.pt"
    network = build("backbone", {"name": "torchvision", "arch": "squeezenet1_1"}).build(7)
    torch.save(network.body.state_dict(), file)
    return file


def pixels(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)


def test_pictures_are_the_maps_over_the_whole_photographs(camforge: Camforge, tmp_path: Path, weights: Path) -> None:
    (tmp_path / "in").mkdir()
    files = [photograph(tmp_path / "in" / "a.png", seed=1), photograph(tmp_path / "in" / "b.png", 224, 260, seed=2)]
    options = ("--model", "squeezenet1_1", "--weights", weights, "--method", "GradCAM,Layer-CAM(truncate=20)")
    code, out, err = camforge("explain", tmp_path / "in", *options, "--target", 3, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    pictures = [f"{name}-{method}-3.png" for name in "ab" for method in ("gradcam", "layercam")]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        [*pictures, "contact.jpg", "explanation.json", "index.html"]
    )
    assert "layercam(truncate=20) read features.12" in out
    assert "4 pictures, contact.jpg and index.html" in out
    model = load_model("squeezenet1_1", weights)
    for file in files:
        found = explain(model, file, 3)
        expected = overlay(pixels(file), found.maps[0])
        shown = pixels(tmp_path / "out" / f"{file.stem}-gradcam-3.png")
        assert shown.shape == expected.shape
        assert (shown.float() - expected.float()).abs().max() <= 1
    told = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert [entry["picture"] for entry in told] == pictures
    assert told[0]["logit"] == pytest.approx(float(explain(model, files[0], 3).logits[0, 3]), rel=1e-4)
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(f'src="{name}"' in page for name in pictures)


def test_the_highest_outputs_are_explained(camforge: Camforge, tmp_path: Path, weights: Path) -> None:
    file = photograph(tmp_path / "a.png")
    best = explain(load_model("squeezenet1_1", weights), file, top=3).targets.tolist()
    options = ("--model", "torchvision:squeezenet1_1", "--weights", weights, "--out")
    camforge("explain", file, *options, tmp_path / "one")
    assert [p.name for p in (tmp_path / "one").glob("*.png")] == [f"a-gradcam-{best[0]}.png"]
    camforge("explain", file, *options, tmp_path / "three", "--top", 3, "--size", 64)
    pictures = sorted((tmp_path / "three").glob("*.png"))
    assert [p.name for p in pictures] == sorted(f"a-gradcam-{target}.png" for target in best)
    assert {Image.open(p).size for p in pictures} == {(64, 51)}


def test_class_names_and_models_of_timm(camforge: Camforge, tmp_path: Path) -> None:
    pytest.importorskip("timm", reason="timm is an extra")
    file, options = photograph(tmp_path / "a b.png"), ("--model", "timm:resnet10t", "--weights", "random")
    targets = ("--target", "tabby cat", "--target", "1")
    code, _, err = camforge("explain", file, *options, *targets, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert sorted(p.name for p in (tmp_path / "out").glob("*.png")) == [
        "a b-gradcam-1-goldfish.png", "a b-gradcam-281-tabby.png",
    ]  # fmt: skip
    assert 'src="a%20b-gradcam-281-tabby.png"' in (tmp_path / "out" / "index.html").read_text()
    code, _, err = camforge("explain", file, *options, "--target", "cat", "--out", tmp_path / "out")
    assert code == 2
    assert err.startswith("camforge: target 'cat' may be 'tabby, tabby cat', 'tiger cat', 'Persian cat'")


def test_names_of_files_are_escaped_on_the_page(camforge: Camforge, tmp_path: Path, weights: Path) -> None:
    file = photograph(tmp_path / "<b>&'.png")
    options = ("--model", "squeezenet1_1", "--weights", weights, "--target", 0, "--out", tmp_path / "out")
    assert camforge("explain", file, *options)[0] == 0
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;" in page


def test_a_broken_photograph_among_good_ones_is_named(camforge: Camforge, tmp_path: Path, weights: Path) -> None:
    good, bad = photograph(tmp_path / "good.png"), tmp_path / "bad.jpg"
    bad.write_bytes(b"not a picture")
    options = ("--model", "squeezenet1_1", "--weights", weights, "--out", tmp_path / "out")
    code, out, err = camforge("explain", bad, good, *options)
    assert code == 0
    assert "good.png" in out
    assert err.startswith(f"skipped: {bad}: cannot be read as an image (")
    code, out, err = camforge("explain", bad, *options)
    assert (code, out) == (2, "")


def test_equal_names_do_not_overwrite_one_another(camforge: Camforge, tmp_path: Path, weights: Path) -> None:
    (tmp_path / "other").mkdir()
    files = [photograph(tmp_path / "a.png"), photograph(tmp_path / "other" / "a.png", seed=5)]
    options = ("--model", "squeezenet1_1", "--weights", weights, "--target", 0, "--out", tmp_path / "out")
    camforge("explain", *files, *options)
    assert sorted(p.name for p in (tmp_path / "out").glob("*.png")) == ["a-gradcam-0--2.png", "a-gradcam-0.png"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--model", "squeezenet1_2"), "unknown model 'squeezenet1_2'; did you mean 'squeezenet1_1'? known: "),
        (("--model", "keras:vgg"), "unknown kind of model 'keras' in 'keras:vgg'; known: "),
        (
            ("--model", "squeezenet1_1", "--weights", "nothing.pt"),
            "weights 'nothing.pt' for squeezenet1_1: no such file",
        ),
        (("--model", "small", "--weights", "weights.pt"), "backbone: weights: unknown option; "),
        (("--model", "small"), "model 'small' has no trained weights: its maps would mean nothing\n"),
        (("--model", "vgg_gap"), "model 'vgg_gap' has no trained weights: its maps would mean nothing; give weights\n"),
        ((*FILE, "--method", "gradcan"), "unknown extractor 'gradcan'; did you mean 'gradcam'?"),
        ((*FILE, "--method", "layercam(truncate=200)"), "extractor: truncate: should be less than 100 (given: 200)"),
        ((*FILE, "--method", "layercam(stages)"), "method 'layercam(stages)': 'stages' is not option=value\n"),
        ((*FILE, "--method", "layercam(layers=last"), "method 'layercam(layers=last': write a name, or "),
        ((*FILE, "--method", ","), "no method was named"),
        ((*FILE, "--target", "7"), "target 7 of image 0: the model has outputs 0 to 6"),
        ((*FILE, "--target", "cat"), "target 'cat': the names of the model's outputs are not known; give a number"),
        ((*FILE, "--target", "1", "--top", "2"), "give --target or --top, not both\n"),
        ((*FILE, "--size", "huge"), "--size huge: give full, or a number of pixels from 16 on\n"),
        ((*FILE, "--target", "²"), "target '²': the names of the model's outputs are not known; give a number"),
        ((*FILE, "--size", "²"), "--size ²: give full, or a number of pixels from 16 on\n"),
        (("--model", "hf:./nowhere"), "hf:./nowhere: no such folder here, and of the hub: "),
        ((*FILE, "--device", "tpu3"), "unknown device 'tpu3'; allowed: auto, cpu, cuda"),
        ((*FILE, "--outputs", "9"), "--outputs 9: the model's head has 7 outputs"),
        ((*FILE, "--box", "1,2,3"), "--box 1,2,3: give four numbers, x0,y0,x1,y1\n"),
        ((*FILE, "--box", "9,2,3,4"), "--box 9,2,3,4: x0,y0 is the upper left corner, x1,y1 the lower right one\n"),
        ((*FILE, "--box", "1,2,nan,4"), "--box 1,2,nan,4: x0,y0 is the upper left corner"),
        ((*FILE, "--box", "1,2,3,4", "--what", "width"), "--what width: allowed are class, objectness, similarity, x0"),
        ((*FILE, "--what", "x0"), "--what x0 is asked of a box: give --box\n"),
        ((*FILE, "--box", "1,2,3,4", "--top", "2"), "give --box or --top, not both\n"),
        (
            (*FILE, "--box", "1,2,3,4", "--target", "1", "--target", "2"),
            "--box looks at boxes of one class: give --target once\n",
        ),
        ((*FILE, "--box", "1,2,3,4"), "a box of the model's: a Tensor is no output of a known detector\n"),
        (("none.png", "other.png", *FILE), "no such file: none.png, other.png\n"),
        (("none.png", "--model", "resnet18"), "no such file: none.png\n"),
    ],
)
def test_a_mistake_is_one_line(
    camforge: Camforge, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...],
    expected: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(weights.parent)
    code, out, err = camforge("explain", photograph(tmp_path / "a.png"), *options, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err.startswith(f"camforge: {expected}")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_photographs_in_sub_folders(camforge: Camforge, tmp_path: Path, weights: Path) -> None:
    (tmp_path / "in" / "cats").mkdir(parents=True)
    for place in ("a.png", "cats/a.png"):
        photograph(tmp_path / "in" / place)
    options = ("--model", "squeezenet1_1", "--weights", weights, "--target", 3, "--out", tmp_path / "in" / "maps")
    code, _, err = camforge("explain", tmp_path / "in", *options)
    assert (code, err) == (
        0,
        f"{tmp_path / 'in'}: photographs in sub-folders are left out (1); --recursive takes them in\n",
    )
    code, out, err = camforge("explain", tmp_path / "in", *options, "--recursive")
    assert (code, err) == (0, "")
    assert "cats/a.png" in out
    assert {p.name for p in (tmp_path / "in/maps").glob("*.png")} == {"a-gradcam-3.png", "cats-a-gradcam-3.png"}


def test_a_file_in_the_place_of_the_folder_is_told_before_the_work(camforge: Camforge, tmp_path: Path) -> None:
    file = photograph(tmp_path / "a.png")
    for out in (file, file / "maps"):
        code, _, err = camforge("explain", file, "--model", "never loaded", "--out", out)
        assert (code, err) == (2, f"camforge: --out {out}: {file} is a file, not a folder\n")


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("gradcam", [{"name": "gradcam"}]),
        ("Grad-CAM++, SCORECAM", [{"name": "gradcampp"}, {"name": "scorecam"}]),
        ("LT_Grad-CAM(truncate = 0)", [{"name": "ltgradcam", "truncate": 0}]),
        (
            "layercam(layers=[layer3, layer4], truncate=12.5),cam",
            [{"name": "layercam", "layers": ("layer3", "layer4"), "truncate": 12.5}, {"name": "cam"}],
        ),
        ("layercam(layers=stages, flip=true)", [{"name": "layercam", "layers": "stages", "flip": True}]),
    ],
)
def test_methods_as_one_types_them(text: str, specs: list[dict[str, object]]) -> None:
    assert methods_of(text) == [build("extractor", spec) for spec in specs]


def test_a_method_without_a_name() -> None:
    with pytest.raises(CamForgeError, match="method '\\(layers=last\\)': write a name"):
        methods_of("(layers=last)")


def test_help_is_short_and_has_examples(camforge: Camforge) -> None:
    for option in ("-h", "--help"):
        code, out, _ = camforge("explain", option)
        assert code == 0
        assert "  camforge explain photos --model timm:convnext_tiny --top 3 --out maps\n" in out
        assert max(map(len, out.splitlines())) <= 80


def test_a_detector_needs_no_python(camforge: Camforge, tmp_path: Path) -> None:
    photograph(tmp_path / "street.png")
    model = ("--model", "torchvision:ssdlite320_mobilenet_v3_large", "--weights", "random")
    method = ("--method", "odam(layers=[backbone.features.0.13])")
    code, said, failed = camforge(
        "explain", str(tmp_path / "street.png"), *model, *method, "--out", str(tmp_path / "out")
    )
    assert code == 0, said + failed
    assert len(json.loads((tmp_path / "out" / "explanation.json").read_text())) == 1


def test_a_box_of_a_detector_is_given_in_pixels_of_the_photograph(tmp_path: Path) -> None:
    """Each picture is that of explain() with the same box in pixels of the prepared input, half as large."""
    torch.manual_seed(0)
    options = {"weights": None, "weights_backbone": None, "num_classes": 3, "min_size": 64, "max_size": 64}
    model = fasterrcnn_mobilenet_v3_large_320_fpn(**options, box_score_thresh=0.0, box_detections_per_img=5).eval()
    prepare = preparation(lambda image: pil_to_tensor(image.resize((64, 64))) / 255)
    attach(model, Recipe("detector", prepare, ("nothing", "cat", "dog, hound")))
    file, methods = photograph(tmp_path / "street.png", 128, 128), methods_of("odam(layers=[backbone.body.16])")
    with torch.no_grad():
        detected = model(prepare(Image.open(file))[None])[0]
    box, label = detected["boxes"][-1], int(detected["labels"][-1])
    corners = tuple((2 * box).tolist())
    for what in ("class", "x0"):
        order = Order(model, methods, [], None, None, BoxOrder(corners, what, label))
        told = [overlay for found in explain_files(photographs_of(file), order, tmp_path / what) for overlay in found]
        where = " ".join(f"{side:g}" for side in corners)
        called = f"{('nothing', 'cat', 'dog')[label]} in box {where}"
        assert [overlay.label for overlay in told] == [called if what == "class" else f"x0 of {called}"]
        expected = detected["scores"][-1] if what == "class" else box[0]
        assert told[0].logit == pytest.approx(float(expected), rel=1e-4)
        found = explain(model, file, 0, methods[0], select=DetectedBox(box, label, what))
        shown = pixels(tmp_path / what / told[0].picture).float()
        assert (shown - signed_overlay(pixels(file), found.maps[0]).float()).abs().max() <= 2
    order = Order(model, methods, [], None, None, BoxOrder((1000, 1000, 1010, 1010), label="dog"))
    said = [str(found) for found in explain_files(photographs_of(file), order, tmp_path / "none")]
    assert said == ["street.png: no detected box of class dog overlaps --box 1000,1000,1010,1010"]


def test_a_box_from_the_command_line(camforge: Camforge, tmp_path: Path) -> None:
    file = photograph(tmp_path / "street.png")
    model = ("--model", "torchvision:ssdlite320_mobilenet_v3_large", "--weights", "random")
    options = ("--method", "odam(layers=[backbone.features.0.13])", "--box", "0,0,300,240", "--out", tmp_path / "out")
    code, said, failed = camforge("explain", file, *model, *options)
    assert code == 0, said + failed
    told = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert [entry["label"] for entry in told] == ["box 0 0 300 240"]
    code, _, failed = camforge("explain", file, *model, *options, "--what", "objectness")
    assert (code, failed) == (2, "camforge: what='objectness': this detector tells none, only YOLO-like heads do\n")


def test_a_model_that_it_cannot_read_is_told_in_its_own_words(tmp_path: Path) -> None:
    class Pair(torch.nn.Conv2d):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return super().forward(images), images

    model = attach(Pair(3, 2, 3), Recipe("pair", preparation(lambda image: pil_to_tensor(image) / 255)))
    shown = photographs_of(photograph(tmp_path / "street.png"))
    order = Order(model, methods_of("occlusion(patch=200)"), [], None, None)
    with pytest.raises(CamForgeError, match=r"^the model returns a tuple of 2 tensors: this command reads classifiers"):
        list(explain_files(shown, order, tmp_path))


def test_slow_methods_show_how_far_they_are(tmp_path: Path, weights: Path) -> None:
    """What the command line's second bar is told: all variants of an image, and never more."""
    seen: list[tuple[int, int]] = []
    token = rerun_progress.set(lambda done, rows: seen.append((done, rows)))
    try:
        model = load_model("squeezenet1_1", weights)
        explain(model, photograph(tmp_path / "a.png"), 1, {"name": "scorecam", "layers": ["features.3"]})
    finally:
        rerun_progress.reset(token)
    done, rows = seen[-1]
    assert 100 < done == rows <= 128  # channels; those that are the same everywhere need no run
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
