"""What explain() returns: one shape whatever the targets, masks, boxes, pictures and files."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import camforge
from camforge import CamForgeError, Explanation, MapWarning
from camforge.pictures import overlay, signed_overlay


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 6, 8)


LAYERCAM = {"name": "layercam", "layers": ["1"]}


def explained(maps: Tensor, images: list[int] | None = None, targets: list[int] | None = None) -> Explanation:
    """An explanation with given maps: of one image, of output 0, unless said otherwise."""
    where, what = (torch.tensor(v or [0] * len(maps)) for v in (images, targets))
    return Explanation(maps, where, what, torch.arange(6.0).reshape(2, 3), ("layer4",), "gradcam")


@pytest.mark.parametrize(
    ("targets", "pairs"),
    [
        (2, [(0, 2), (1, 2)]),
        ([2, 1], [(0, 2), (1, 1)]),
        ([[2], [1]], [(0, 2), (1, 1)]),
        ([[0, 1], [1, 0]], [(0, 0), (0, 1), (1, 1), (1, 0)]),
        ([[0, 1], [1]], [(0, 0), (0, 1), (1, 1)]),
        (torch.tensor([[False, True, True], [False, True, False]]), [(0, 1), (0, 2), (1, 1)]),
        (torch.tensor([[False, True, True], [True, True, False]]), [(0, 1), (0, 2), (1, 0), (1, 1)]),
    ],
)
def test_maps_stand_image_by_image_and_in_the_order_of_the_targets(model, images, targets, pairs) -> None:
    found = camforge.explain(model, images, targets, LAYERCAM)
    assert list(zip(found.images.tolist(), found.targets.tolist(), strict=True)) == pairs
    assert found.maps.shape == (len(pairs), 6, 8)
    assert found.images.dtype == found.targets.dtype == torch.int64
    for (image, target), values in zip(pairs, found.maps, strict=True):
        alone = camforge.explain(model, images[image : image + 1], target, LAYERCAM)
        torch.testing.assert_close(alone.maps[0], values)
    for image in (0, 1):
        assert torch.equal(found.of(image), found.maps[[i for i, pair in enumerate(pairs) if pair[0] == image]])


def test_the_chosen_classes_are_told_and_so_is_what_was_read(model, images) -> None:
    found = camforge.explain(model, images, extractor={"name": "gradcam", "layers": ["0", "1"]})
    assert found.targets.tolist() == model(images).argmax(1).tolist()
    torch.testing.assert_close(found.logits, model(images))
    assert (found.layers, found.method) == (("0", "1"), "gradcam(layers=[0, 1])")


def test_a_list_gives_explanations_by_name_and_layers_are_summed(model, images) -> None:
    both = {"name": "layercam", "layers": ["0", "1"]}
    found = camforge.explain(model, images, 1, [{"name": "layercam", "layers": ["0"]}, "gradcam", both])
    assert list(found) == ["layercam", "gradcam", "layercam#1"]
    assert found["layercam#1"].method == "layercam(layers=[0, 1])"
    assert found["layercam"].layers == ("0",)
    second = camforge.explain(model, images, 1, LAYERCAM)
    torch.testing.assert_close(found["layercam#1"].maps, found["layercam"].maps + second.maps)
    assert list(camforge.explain(model, images, 1, ["gradcam"])) == ["gradcam"]


def test_no_image_of_that_number(model, images) -> None:
    with pytest.raises(CamForgeError, match="image 2: the explanation has images 0 to 1"):
        camforge.explain(model, images).of(2)


def test_signals() -> None:
    model = nn.Sequential(
        nn.Conv1d(2, 4, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    signals = torch.randn(2, 2, 41)
    found = camforge.explain(model, signals, 0, {"name": "hirescam", "layers": ["1"]})
    features, weight = model[:2](signals), model[4].weight[0]
    small = (features * weight[:, None]).sum(1) / features.shape[2]
    expected = np.stack(
        [np.interp((np.arange(41) + 0.5) * 19 / 41 - 0.5, np.arange(19), row) for row in small.detach()]
    )
    torch.testing.assert_close(found.maps, torch.from_numpy(expected).float(), atol=1e-5, rtol=1e-5)
    assert found.boxes(0.5).shape == (2, 2)


def test_masks_are_the_places_that_reach_a_share_of_the_maximum() -> None:
    maps = torch.tensor([[[-4.0, 1.0], [2.0, 4.0]], [[-1.0, -1.0], [0.0, -2.0]]])
    found = explained(maps)
    assert found.masks(0.5).tolist() == [[[False, False], [True, True]], [[False, False], [False, False]]]
    assert found.masks(0.0).tolist() == [[[False, True], [True, True]], [[False, False], [False, False]]]
    with pytest.raises(CamForgeError, match=r"threshold 15: allowed are 0 to 1"):
        found.masks(15)


def test_boxes_hold_the_largest_connected_part() -> None:
    maps = torch.zeros(2, 6, 9)
    maps[0, 1:3, 6:9] = 1
    maps[0, 3, 5] = 1  # touches by a corner
    maps[0, 5, 0:4] = 5
    assert explained(maps).boxes(0.1).tolist() == [[5, 1, 9, 4], [0, 0, 0, 0]]
    assert explained(maps).boxes(0.9).tolist() == [[0, 5, 4, 6], [0, 0, 0, 0]]
    volume = torch.zeros(1, 4, 5, 6)
    volume[0, 1:3, 2:5, 3:4] = 1
    assert explained(volume).boxes(0.5).tolist() == [[3, 2, 1, 4, 5, 3]]


def test_a_folder_holds_everything(tmp_path) -> None:
    maps = torch.rand(3, 8, 8) - 0.2
    photographs = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    found = explained(maps, [0, 1, 1], [2, -1, -1])
    found.save(tmp_path / "out", photographs, threshold=0.5)
    manifest = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert (manifest["method"], manifest["layers"], manifest["threshold"]) == ("gradcam", ["layer4"], 0.5)
    assert [entry["map"] for entry in manifest["maps"]] == ["0-output_2.npy", "1-function.npy", "1-function--2.npy"]
    assert [entry["logit"] for entry in manifest["maps"]] == [2.0, None, None]
    assert manifest["maps"][1]["box"] == found.boxes(0.5)[1].tolist()
    for i, entry in enumerate(manifest["maps"]):
        assert np.array_equal(np.load(tmp_path / "out" / entry["map"]), maps[i].numpy())
        mask, picture = (np.asarray(Image.open(tmp_path / "out" / entry[key])) for key in ("mask", "picture"))
        assert np.array_equal(mask > 0, found.masks(0.5)[i].numpy())
        expected = signed_overlay(photographs[entry["image"]], maps[i])
        assert np.array_equal(picture, expected.permute(1, 2, 0).numpy())


def test_pictures_are_maps_over_their_photographs() -> None:
    maps, photographs = torch.rand(3, 200, 200), torch.randint(0, 256, (2, 3, 200, 200), dtype=torch.uint8)
    shown = explained(maps, [0, 1, 1]).show(photographs)
    assert shown._repr_png_().startswith(b"\x89PNG")
    corner = shown.pixels[:, -208:-8, -208:-8]
    assert torch.equal(corner, overlay(photographs[1], maps[2]))
    with pytest.raises(CamForgeError, match="gradcam: maps of 1 axes cannot lie over a photograph"):
        explained(torch.rand(1, 9)).show(photographs)


def test_signed_maps_have_two_sides() -> None:
    grey = torch.full((3, 1, 3), 100, dtype=torch.uint8)
    shown = signed_overlay(grey, torch.tensor([[4.0, 0.0, -4.0]]), opacity=0.5)[:, 0].T
    assert shown.tolist() == [[140, 52, 69], [100, 100, 100], [80, 88, 146]]
    half = signed_overlay(grey, torch.tensor([[1.0, 0.0, -4.0]]), opacity=0.5)[:, 0].T
    assert half.tolist() == [[110, 88, 92], [100, 100, 100], [80, 88, 146]]
    plain = torch.tensor([[4.0, 0.0, 1.0]])
    assert torch.equal(signed_overlay(grey, plain), overlay(grey, plain))


def test_a_map_of_one_place_is_told() -> None:
    """Five halvings of 32 pixels leave one place: its map is the same all over the image."""
    torch.manual_seed(0)
    body = [layer for _ in range(5) for layer in (nn.Conv2d(3, 3, 3, 2, 1), nn.Tanh())]
    model = nn.Sequential(nn.Sequential(*body), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)).eval()
    hirescam = {"name": "hirescam", "layers": ["0"]}
    with pytest.warns(MapWarning, match=r"hirescam: 2 of 2 maps are the same everywhere \(read at '0'"):
        camforge.explain(model, torch.randn(2, 3, 32, 32), 1, hirescam)
