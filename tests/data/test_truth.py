"""What a split knows of its images, and boxes where it has only masks."""

import pytest
import torch

from camforge.data.geometry import Geometry
from camforge.data.prepared import Prepared, prepare
from camforge.data.truth import boxes_of_mask
from camforge.types import ImageSet, Sample

SQUARE = Geometry(8, "squash", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def test_a_box_is_that_of_a_connected_part_of_a_class() -> None:
    mask = torch.zeros(8, 8, dtype=torch.uint8)
    mask[0, 0], mask[1, 1] = 2, 2  # corners touch: one part
    mask[5, 2:6] = 2
    mask[3:5, 6:8] = 1
    mask[7, 7] = 255
    boxes, classes = boxes_of_mask(mask)
    assert boxes.tolist() == [[6, 3, 8, 5], [0, 0, 2, 2], [2, 5, 6, 6]]
    assert classes.tolist() == [0, 1, 1]


def test_a_mask_without_objects_has_no_boxes() -> None:
    boxes, classes = boxes_of_mask(torch.full((4, 4), 255, dtype=torch.uint8))
    assert boxes.shape == (0, 4)
    assert classes.shape == (0,)


def prepared(samples: list[Sample]) -> Prepared:
    labels = torch.stack([sample.labels for sample in samples])
    names = tuple(sample.id for sample in samples)
    return prepare(ImageSet(("a",), names, labels, lambda i: samples[i], "test"), SQUARE)


def image(name: str, **truth: torch.Tensor) -> Sample:
    return Sample(name, torch.zeros(3, 8, 8, dtype=torch.uint8), torch.tensor([True]), **truth)


MASK = torch.zeros(8, 8, dtype=torch.uint8)
MASK[2:4, 1:7] = 1
BOX = {"boxes": torch.tensor([[1.0, 1, 5, 5]]), "box_classes": torch.zeros(1, dtype=torch.int64)}


@pytest.mark.parametrize(
    ("truths", "expected"),
    [
        ([{}, {}], set()),
        ([{}, BOX], {"boxes"}),
        ([{"parts": MASK}, {}], {"parts"}),
        ([{"mask": MASK}, BOX], {"masks", "boxes"}),
    ],
)
def test_a_split_says_what_any_image_has(truths: list[dict], expected: set[str]) -> None:
    split = prepared([image(str(i), **truth) for i, truth in enumerate(truths)])
    assert split.truth == expected
    assert not split.boxes_from_masks


def test_boxes_come_from_masks_where_there_are_no_others() -> None:
    split = prepared([image("0", mask=MASK), image("1")])
    assert split.boxes_from_masks
    assert split.truth == {"masks", "boxes"}
    _, batch = next(split.batches(2, torch.device("cpu")))
    assert [boxes.tolist() for boxes in batch.boxes] == [[[1, 2, 7, 4]], []]
    assert batch.box_classes[0].tolist() == [0]
