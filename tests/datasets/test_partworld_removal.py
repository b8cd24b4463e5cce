"""PartWorld without a part: drawn as it were, nothing painted over, nothing else changed."""

import pytest
import torch
from torch.nn.functional import max_pool2d

from camforge import build


def near(region: torch.Tensor) -> torch.Tensor:
    """The pixels of a region and those within three pixels: thin ends are drawn that no mask holds."""
    return max_pool2d(region[None].float(), 7, 1, 3)[0] > 0


@pytest.mark.parametrize("part", [1, 2])
def test_only_the_part_changes(part: int) -> None:
    images = build("dataset", {"name": "partworld", "val": 12}).open("val")
    assert images.without_part is not None
    removed = 0
    for i in range(len(images)):
        whole = images.load(i)
        for label in whole.labels.nonzero().flatten().tolist():
            without = images.without_part(i, label, part)
            own = whole.mask == 1 + label
            region = own & (whole.parts == part)
            changed = ((whole.image.int() - without.image.int()).abs() > 1).any(0)  # one level is a rounding
            assert not (changed & ~near(own)).any(), "beyond the object nothing changes"
            assert (changed & ~near(region)).sum() <= 8, "a body shows through the notches of a head"
            assert not ((without.mask == 1 + label) & (without.parts == part)).any()
            other = own & (whole.parts == 3 - part)
            kept = (without.mask == 1 + label) & (without.parts == 3 - part)
            assert (other & ~kept).sum() <= 0.1 * other.sum() + 8, "pixels of both parts' edges alone are lost"
            removed += int(changed[region].sum() > 0.5 * region.sum()) if region.any() else 0
    assert removed >= 12


def test_behind_a_head_there_is_the_body() -> None:
    images = build("dataset", {"name": "partworld", "val": 12}).open("val")
    behind = 0
    for i in range(len(images)):
        whole = images.load(i)
        label = int(whole.labels.nonzero()[0])
        without = images.without_part(i, label, 2)
        head = (whole.mask == 1 + label) & (whole.parts == 2)
        behind += int((head & (without.mask == 1 + label) & (without.parts == 1)).sum())
    assert behind > 50


def test_a_subset_removes_from_its_own_images() -> None:
    images = build("dataset", {"name": "partworld", "val": 6}).open("val")
    some = images.subset([4, 1])
    label = int(images.labels[1].nonzero()[0])
    assert some.without_part(1, label, 2).image.equal(images.without_part(1, label, 2).image)
