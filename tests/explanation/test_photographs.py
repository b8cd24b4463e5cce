"""Images as people have them, prepared as the model's library does it; maps back in the photograph's own pixels."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, resnet18
from torchvision.transforms import v2

import camforge
from camforge import CamForgeError
from camforge.data.geometry import Geometry
from camforge.explanation.inputs import InputWarning, photographs_of
from camforge.explanation.placement import measure
from camforge.explanation.recipe import preparation, recipe_of
from camforge.types import Sample

TO_FLOATS = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
CROP = v2.Compose([v2.Resize(32), v2.CenterCrop(32), *TO_FLOATS])


@pytest.fixture
def model() -> nn.Module:
    """Its CAM of output k is the brightness of colour k, seen in blocks of four pixels."""
    conv = nn.Conv2d(3, 3, 4, stride=4, bias=False)
    head = nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(3)[:, :, None, None].expand(3, 3, 4, 4) / 16)
        head.weight.copy_(torch.eye(3))
    return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def bright(height: int, width: int, top: int, left: int, side: int, colour: int = 0) -> np.ndarray:
    """A black photograph with a bright square."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[top : top + side, left : left + side, colour] = 255
    return pixels


OPTIONS: dict[str, Any] = {"extractor": {"name": "hirescam", "layers": ["1"]}, "preprocess": CROP}


def centre(values: Tensor) -> list[float]:
    """Row and column of the map's centre of gravity, in pixels."""
    weight = values.clamp(min=0)
    rows, columns = ((torch.arange(n) + 0.5) for n in values.shape)
    return [float((weight.sum(1) * rows).sum() / weight.sum()), float((weight.sum(0) * columns).sum() / weight.sum())]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (60, 90), (200, 131), (20, 24)])
def test_maps_lie_where_the_photograph_is_bright(model: nn.Module, height: int, width: int) -> None:
    side = min(height, width) // 4
    top, left = (height - side) // 2 - side // 2, (width - side) // 2 + side // 2
    found = camforge.explain(model, bright(height, width, top, left, side), 0, **OPTIONS)
    assert found.maps.shape == (1, height, width)
    row, column = centre(found.maps[0])
    assert abs(row - top - side / 2) < 0.03 * min(height, width)
    assert abs(column - left - side / 2) < 0.03 * min(height, width)


def test_what_the_crop_cut_off_was_not_seen(model: nn.Module) -> None:
    found = camforge.explain(model, np.full((40, 100, 3), 255, np.uint8), 1, **OPTIONS)
    assert (found.maps[0, :, :29] == 0).all()
    assert (found.maps[0, :, 71:] == 0).all()
    torch.testing.assert_close(found.maps[0, :, 32:68], torch.full((40, 36), float(found.maps.max())))


@pytest.mark.parametrize(("height", "width"), [(150, 200), (97, 64), (64, 97), (30, 30), (301, 120)])
@pytest.mark.parametrize("fit", ["crop", "squash"])
def test_the_measured_place_is_that_of_the_experiments_geometry(height: int, width: int, fit: str) -> None:
    geometry = Geometry(48, fit, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))

    def prepare(photograph: Image.Image) -> Tensor:
        pixels = torch.from_numpy(np.array(photograph)).permute(2, 0, 1)
        sample = geometry.place(Sample("a", pixels, torch.zeros(0, dtype=torch.bool)))
        return geometry.normalise(sample.image[None])[0]

    place = measure(prepare, (height, width))
    maps = torch.nn.functional.interpolate(torch.rand(1, 1, 6, 6), size=(48, 48), mode="bilinear")[0]
    expected, seen = geometry.back(maps, (height, width))
    found = place.bring_back(maps)
    assert ((found - expected).abs()[0][seen].mean()) < 0.01
    assert float(((found[0] != 0) != seen).float().mean()) < 0.02


def test_mirrored_and_padded_preparations_are_understood() -> None:
    prepare = preparation(v2.Compose([v2.Resize((50, 60)), v2.RandomHorizontalFlip(1.0), v2.Pad(10), *TO_FLOATS]))
    place = measure(prepare, (100, 180))
    assert place.given == (70, 80)
    np.testing.assert_allclose(place.start, (-20, 210), atol=0.3)
    np.testing.assert_allclose(place.step, (2, -3), atol=0.01)
    maps = torch.zeros(1, 70, 80)
    maps[0, 10:20, 10:20] = 1  # upper left of the mirrored photograph
    row, column = centre(place.bring_back(maps)[0])
    assert abs(row - 10) < 1
    assert abs(column - 165) < 1


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([v2.RandomRotation((30, 30))], "bends or turns photographs"),
        ([v2.RandomResizedCrop(40)], "not the same each time"),
        ([v2.Resize((1, 1))], "leaves too little of a photograph"),
    ],
)
def test_preparations_that_cannot_be_undone_are_refused(steps: list[Any], message: str) -> None:
    with pytest.raises(CamForgeError, match=message):
        measure(preparation(v2.Compose([*steps, *TO_FLOATS])), (80, 90))


def test_every_form_of_a_photograph_gives_the_same_map(model: nn.Module, tmp_path: Path) -> None:
    pixels = bright(40, 50, 10, 20, 12)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    chw = torch.from_numpy(pixels).permute(2, 0, 1)
    expected = camforge.explain(model, pixels, 0, **OPTIONS).maps
    forms = [
        tmp_path / "a.png", str(tmp_path / "a.png"), tmp_path, Image.open(tmp_path / "a.png"), chw, chw[None],
        pixels[None], chw.numpy(), pixels / 255, (pixels / 255).astype(np.float32), pixels.astype(np.uint16) * 257,
        [pixels], [tmp_path / "a.png"], (Image.fromarray(pixels),), np.dstack([pixels, pixels[:, :, :1]]),
        Image.fromarray(pixels).convert("RGBA"), torch.from_numpy(pixels),
    ]  # fmt: skip
    for form in forms:
        found = camforge.explain(model, form, 0, **OPTIONS)
        assert torch.equal(found.maps, expected), type(form)
    with pytest.warns(InputWarning, match="floats up to 255 is read as 0 to 255"):
        assert torch.equal(camforge.explain(model, pixels.astype(np.float64), 0, **OPTIONS).maps, expected)
    grey = camforge.explain(model, Image.fromarray(pixels[:, :, 0]), 2, **OPTIONS)
    torch.testing.assert_close(grey.maps, expected)
    assert torch.equal(camforge.explain(model, pixels[:, :, 0], 2, **OPTIONS).maps, grey.maps)


def test_photographs_of_several_sizes(model: nn.Module) -> None:
    large, small = bright(60, 40, 20, 10, 15), bright(30, 50, 8, 20, 10, colour=1)
    found = camforge.explain(model, [large, small, large], [[0], [1, 0], 0], **OPTIONS, batch_size=2)
    assert found.maps.shape == (4, 60, 50)
    assert found.images.tolist() == [0, 1, 1, 2]
    assert found.logits.shape == (3, 3)
    for image, (pixels, targets) in enumerate([(large, [[0]]), (small, [[1, 0]]), (large, [[0]])]):
        alone = camforge.explain(model, pixels, targets, **OPTIONS)
        torch.testing.assert_close(found.of(image), alone.maps)
    assert (found.maps[1, 30:] == 0).all()
    boxes = found.boxes(0.5)
    assert (boxes[1, 2] <= 50) & (boxes[1, 3] <= 30)


def test_maps_of_the_inputs_size_are_shown_where_they_belong(model: nn.Module, tmp_path: Path) -> None:
    photograph = bright(60, 90, 20, 40, 15)
    full = camforge.explain(model, photograph, 0, **OPTIONS)
    small = camforge.explain(model, photograph, 0, **OPTIONS, size="input")
    assert small.maps.shape == (1, 32, 32)
    torch.testing.assert_close(small.over(0), full.maps)
    assert torch.equal(small.show().pixels, full.show().pixels)
    assert full._repr_png_() == full.show()._repr_png_()
    folder = small.save(tmp_path / "out")
    picture = np.asarray(Image.open(folder / "image_0-output_0.png"))
    assert picture.shape == (60, 90, 3)
    assert np.array_equal(picture[0, 0], [0, 0, 0])


def test_top_and_class_names(model: nn.Module) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = 10, 200, 90
    names = ("tench, Tinca tinca", "tabby, tabby cat", "tiger cat")
    found = camforge.explain(model, [pixels, pixels], top=2, classes=names, **OPTIONS)
    assert found.targets.tolist() == [1, 2, 1, 2]
    assert found.labels == ("tabby", "tiger cat", "tabby", "tiger cat")
    for target, index in (("tabby", 1), ("Tabby Cat", 1), ("tinca tinca", 0), ("tiger", 2), ("tench", 0)):
        assert camforge.explain(model, pixels, target, classes=names, **OPTIONS).targets.tolist() == [index]
    both = camforge.explain(model, [pixels, pixels], [["tench", 2], "tiger cat"], classes=names, **OPTIONS)
    assert both.targets.tolist() == [0, 2, 2]
    for wrong, message in (
        ("cat", r"target 'cat' may be 'tabby, tabby cat', 'tiger cat': name one in full"),
        ("tigre cat", r"no class of the model is called so; did you mean 'tiger cat'\? it has 3 classes"),
    ):
        with pytest.raises(CamForgeError, match=message):
            camforge.explain(model, pixels, wrong, classes=names, **OPTIONS)
    for some in (names[:2], (*names, "tapir")):
        with pytest.raises(
            CamForgeError, match=f"classes: {len(some)} names for 3 outputs; give one each, in their order"
        ):
            camforge.explain(model, pixels, 0, classes=some, **OPTIONS)
    assert camforge.explain(model, pixels, 0, classes=np.array(names), **OPTIONS).labels == (names[0].split(",")[0],)
    for wrong_kind in ("abc", {0: "a", 1: "b", 2: "c"}, [1, 2, 3], iter(names)):
        with pytest.raises(CamForgeError, match="classes: give a list of names, one for each output, in their order"):
            camforge.explain(model, pixels, 0, classes=wrong_kind, **OPTIONS)
    with pytest.raises(CamForgeError, match="names of the model's outputs are not known; give a number, or classes="):
        camforge.explain(model, pixels, "cat", **OPTIONS)
    with pytest.raises(CamForgeError, match="give targets or top, not both"):
        camforge.explain(model, pixels, 1, top=2, **OPTIONS)
    with pytest.raises(CamForgeError, match="top=4: the model has 3 outputs"):
        camforge.explain(model, pixels, top=4, **OPTIONS)


def test_one_target_for_all_photographs_in_every_form(model: nn.Module) -> None:
    photographs = [np.full((16, 16, 3), value, np.uint8) for value in (10, 200, 90)]
    for target in (2, np.int64(2), torch.tensor(2), np.array(2), np.array([2, 2, 2]), torch.tensor([[2], [2], [2]])):
        found = camforge.explain(model, photographs, target, **OPTIONS, batch_size=2)
        assert found.targets.tolist() == [2, 2, 2]
    for wrong, what in ((2.5, "float"), ({1, 2, 3}, "set")):
        with pytest.raises(CamForgeError, match=f"targets are a {what}: give indices of outputs, 0 to 2"):
            camforge.explain(model, photographs, wrong, **OPTIONS)


def test_tensors_in_the_models_own_numbers(model: nn.Module) -> None:
    images = torch.rand(2, 3, 16, 16)
    expected = camforge.explain(model, images, 0).maps
    for form in (
        images.double(),
        images.numpy(),
        images.double().numpy(),
        [images[0], images[1]],
        list(images.numpy()),
    ):
        assert torch.equal(camforge.explain(model, form, 0).maps, expected)
    assert torch.equal(camforge.explain(model, images[0], 0).maps, expected[:1])
    with pytest.warns(InputWarning, match="the images reach 25.*: the model sees them as they are"):
        camforge.explain(model, (images * 255).round(), 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        camforge.explain(model, 4 * images - 2, 0)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("nowhere.jpg", "no such file: nowhere.jpg"),
        (["nowhere.jpg"], "no such file: nowhere.jpg"),
        (np.zeros((8, 9, 10), np.uint8), r"an image of shape \(8, 9, 10\): give \(h, w, 3\), \(3, h, w\) or \(h, w\)"),
        (np.full((8, 9, 3), -1.0), "an image of floats from -1 to -1: a photograph has 0 to 1, or 0 to 255"),
        ([torch.rand(3, 8, 8), torch.rand(3, 9, 9)], r"tensors of different sizes \(\(3, 8, 8\), \(3, 9, 9\), …\)"),
        ([], "a list of nothing: give photographs"),
        ([torch.rand(3, 8, 8), "a.jpg"], "a list of Tensor, str: give photographs"),
        (Image.new("RGB", (3, 600)), "a photograph of 3x600 pixels is too narrow"),
    ],
)
def test_what_has_no_meaning_is_one_line(model: nn.Module, images: Any, message: str) -> None:
    with pytest.raises(CamForgeError, match=message):
        camforge.explain(model, images, 0, **OPTIONS)


def test_a_folder_without_photographs(tmp_path: Path) -> None:
    (tmp_path / ".hidden.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(CamForgeError, match="the folder holds no photographs"):
        photographs_of(tmp_path)


def test_sub_folders_are_told_or_looked_into(tmp_path: Path) -> None:
    for place in ("a.png", "cats/a.png", "cats/kittens/b.JPG", ".cache/c.png", "maps/a-gradcam-3.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / place, "PNG")
    (tmp_path / "maps/explanation.json").write_text("[]")  # what camforge explain wrote is no photograph
    with pytest.warns(InputWarning, match=r"photographs in sub-folders are left out \(2\)"):
        assert [p.name for p in photographs_of(tmp_path) or []] == ["a.png"]
    everything = photographs_of([tmp_path], recursive=True) or []
    assert [p.name for p in everything] == ["a.png", "cats/a.png", "cats/kittens/b.JPG"]
    (tmp_path / "a.png").unlink()
    with pytest.raises(CamForgeError, match="holds no photographs, but its sub-folders hold 2"):
        photographs_of(tmp_path)


def test_a_model_whose_preparation_nobody_knows(model: nn.Module) -> None:
    with pytest.raises(CamForgeError, match="input of Sequential is not known: give preprocess="):
        camforge.explain(model, np.zeros((8, 8, 3), np.uint8), 0)
    with pytest.raises(CamForgeError, match=r"preprocess: one photograph becomes floats \(3, H, W\), not torch.uint8"):
        camforge.explain(model, np.zeros((8, 8, 3), np.uint8), 0, preprocess=v2.PILToTensor())
    for made, kind in ((lambda image: image, "Image"), (lambda _: None, "NoneType")):
        with pytest.raises(CamForgeError, match=rf"one photograph becomes floats \(3, H, W\), not of type {kind}"):
            camforge.explain(model, np.zeros((8, 8, 3), np.uint8), 0, preprocess=made)


def photograph(height: int = 70, width: int = 90) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8))


def test_torchvisions_own_preparation_is_used() -> None:
    model = resnet18(num_classes=1000)
    with torch.no_grad():
        expected = model.eval()(ResNet18_Weights.IMAGENET1K_V1.transforms()(photograph())[None])
    found = camforge.explain(model, photograph(), 0)
    torch.testing.assert_close(found.logits, expected)
    given = camforge.explain(model, photograph(), 0, preprocess=ResNet18_Weights.IMAGENET1K_V1)
    assert torch.equal(given.maps, found.maps)
    assert found.maps.shape == (1, 70, 90)
    assert (found.model, found.labels) == ("ResNet", ("tench",))


def test_timms_own_preparation_is_used() -> None:
    timm = pytest.importorskip("timm", reason="timm is an extra")
    model = timm.create_model("resnet10t", num_classes=5).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    found = camforge.explain(model, photograph(), 0)
    with torch.no_grad():
        torch.testing.assert_close(found.logits, model(transform(photograph())[None]))
    assert found.maps.shape == (1, 70, 90)


def test_a_processor_of_transformers_is_used(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is an extra")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8,
        id2label={0: "cat", 1: "dog", 2: "bird"},
    )  # fmt: skip
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    bare = transformers.ViTForImageClassification.from_pretrained(tmp_path)
    assert recipe_of(bare).prepare is None
    processor.save_pretrained(tmp_path)
    model = transformers.ViTForImageClassification.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        expected = model(**processor(images=photograph(), return_tensors="pt")).logits
    found = camforge.explain(model, photograph(), "dog", select=lambda out: out.logits)
    torch.testing.assert_close(found.logits, expected)
    assert (found.targets.tolist(), found.labels, found.maps.shape) == ([1], ("dog",), (1, 70, 90))
    same = camforge.explain(bare, photograph(), "dog", preprocess=processor, select=lambda out: out.logits)
    torch.testing.assert_close(same.maps, found.maps)
