"""One geometry for images, masks and boxes."""

import pytest
import torch

from camforge.data.geometry import Geometry, random_crop
from camforge.data.prepared import prepare
from camforge.types import CamForgeError, ImageSet, Sample

CROP = Geometry(224, "crop", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def sample(height: int, width: int, boxes: list[list[float]]) -> Sample:
    return Sample(
        "photo",
        torch.zeros(3, height, width, dtype=torch.uint8),
        torch.tensor([True]),
        mask=torch.arange(height * width).reshape(height, width).remainder(251).to(torch.uint8),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        box_classes=torch.zeros(len(boxes), dtype=torch.int64),
    )


# torchvision's short-side resize and centre crop, computed by hand: 500x375 becomes 298x224, 37 columns off the left
@pytest.mark.parametrize(
    ("height", "width", "box", "expected"),
    [
        (375, 500, [10, 20, 490, 300], [0, 11.946667, 224, 179.2]),
        (500, 375, [0, 0, 375, 100], [0.0, 0, 224, 22.6]),
    ],
)
def test_boxes_follow_the_crop(height: int, width: int, box: list[float], expected: list[float]) -> None:
    placed = CROP.place(sample(height, width, [box]))
    torch.testing.assert_close(placed.boxes, torch.tensor([expected]), atol=1e-4, rtol=0)
    assert placed.image.shape == (3, 224, 224)


def test_a_box_outside_the_crop_is_dropped_with_its_class() -> None:
    placed = CROP.place(sample(375, 500, [[0, 0, 20, 375], [200, 100, 300, 200]]))
    assert len(placed.boxes) == len(placed.box_classes) == 1


def test_masks_are_resized_to_the_nearest_value_and_cropped_like_the_image() -> None:
    first = sample(448, 448, [])
    placed = CROP.place(first)
    assert placed.mask is not None
    assert first.mask is not None
    # at exactly half the size, each pixel's centre lies between four: nearest takes one of them, never a mean
    blocks = first.mask.reshape(224, 2, 224, 2).permute(0, 2, 1, 3).reshape(224, 224, 4)
    assert bool((blocks == placed.mask[..., None]).any(-1).all())


def test_a_strip_of_an_image_is_refused() -> None:
    with pytest.raises(CamForgeError, match="image 'photo' is 20000x1: too narrow for a square crop"):
        CROP.place(sample(1, 20000, []))


def test_normalise_takes_mean_and_deviation_out() -> None:
    pixels = torch.tensor([0, 128, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    expected = [(v / 255 - 0.5) / 0.25 for v in (0, 128, 255)]
    assert CROP.normalise(pixels).flatten().tolist() == pytest.approx(expected, abs=1e-6)


def image_set(broken: set[int], labels: torch.Tensor) -> ImageSet:
    def load(i: int) -> Sample:
        if i in broken:
            raise CamForgeError(f"img{i}.jpg: cannot be decoded")
        return Sample(f"img{i}", torch.full((3, 8, 8), i, dtype=torch.uint8), labels[i])

    return ImageSet(("a", "b"), tuple(f"img{i}" for i in range(len(labels))), labels, load, "test")


@pytest.mark.parametrize("count", [5, 80])  # 80: in worker processes
def test_a_broken_image_is_left_out_by_name(count: int) -> None:
    labels = torch.tensor([[True, False], [False, True]]).repeat(count, 1)[:count]
    prepared = prepare(image_set({2}, labels), CROP)
    assert prepared.skipped == {"img2": "img2.jpg: cannot be decoded"}
    assert prepared.indices.tolist() == [i for i in range(count) if i != 2]
    assert prepared.pixels([2])[0, 0, 0, 0].item() == 3  # the third usable image is img3
    assert torch.equal(prepared.labels, labels[prepared.indices])


def test_a_class_that_loses_all_its_images_is_an_error() -> None:
    labels = torch.tensor([[True, False], [False, True]])
    with pytest.raises(CamForgeError, match="no usable image shows b"):
        prepare(image_set({1}, labels), CROP)


def test_a_split_of_broken_images_says_why() -> None:
    labels = torch.tensor([[True, True]])
    with pytest.raises(CamForgeError, match=r"no image of the split can be used: img0.jpg: cannot be decoded"):
        prepare(image_set({0}, labels), CROP)


def test_a_random_crop_is_a_window_of_its_own_image() -> None:
    pixels = torch.arange(5 * 3 * 9 * 7).reshape(5, 3, 9, 7)
    cut = random_crop(pixels, 4)
    places = set()
    for image, window in zip(pixels, cut, strict=True):
        top, left = divmod(int(window[0, 0, 0] - image[0, 0, 0]), 7)
        assert torch.equal(window, image[:, top : top + 4, left : left + 4])
        places.add((top, left))
    assert len(places) > 1
