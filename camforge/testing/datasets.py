"""What is expected of a data set."""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.interfaces import Dataset, Split
from camforge.testing.base import PluginContract
from camforge.types import IGNORED, ImageSet, Sample

SPLITS: tuple[Split, ...] = ("train", "val")
LOOKED_AT = 8  # images per split


class DatasetContract(PluginContract):
    """A data set opens its splits; give cases that open in a moment."""

    def test_splits_share_their_classes(self, plugin: Dataset) -> None:
        train, val = (plugin.open(split) for split in SPLITS)
        assert train.classes == val.classes
        assert len(set(train.classes)) == len(train.classes) >= 1
        assert train.fingerprint != val.fingerprint

    def test_no_image_is_in_both_splits(self, plugin: Dataset) -> None:
        """Two folders may use one name for two images; one image under one name is a leak."""
        train, val = (plugin.open(split) for split in SPLITS)
        for name in sorted(set(train.ids) & set(val.ids))[:LOOKED_AT]:
            one, other = (images.load(images.ids.index(name)).image for images in (train, val))
            assert not torch.equal(one, other), f"image {name!r} is in both splits"

    def test_labels(self, plugin: Dataset) -> None:
        for split in SPLITS:
            images = plugin.open(split)
            assert images.labels.shape == (len(images.ids), len(images.classes))
            assert images.labels.dtype == torch.bool
            assert len(set(images.ids)) == len(images) >= 1
        assert plugin.open("train").labels.any(0).all(), "a class without a training image"

    def test_samples(self, plugin: Dataset) -> None:
        for images in map(plugin.open, SPLITS):
            for i in _places(images):
                sample = images.load(i)
                assert sample.id == images.ids[i]
                assert torch.equal(sample.labels, images.labels[i])
                _check_picture(sample)
                _check_truth(sample, len(images.classes))

    def test_it_repeats(self, plugin: Dataset) -> None:
        for split in SPLITS:
            one, other = plugin.open(split), plugin.open(split)
            assert one.fingerprint == other.fingerprint
            for i in _places(one):
                first, again = one.load(i), other.load(i)
                assert torch.equal(first.image, again.image)
                assert torch.equal(first.boxes, again.boxes)
                assert _same(first.mask, again.mask)

    def test_order_of_loading_does_not_matter(self, plugin: Dataset) -> None:
        images = plugin.open("val")
        last = len(images) - 1
        alone = images.load(last).image
        images.load(0)
        assert torch.equal(images.load(last).image, alone)

    def test_the_taxonomy_holds_classes(self, plugin: Dataset) -> None:
        images = plugin.open("train")
        members = [name for group in (images.taxonomy or {}).values() for name in group]
        assert set(members) <= set(images.classes)
        assert len(set(members)) == len(members)


def _places(images: ImageSet) -> range:
    return range(0, len(images), max(1, len(images) // LOOKED_AT))


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    return one is other if one is None or other is None else torch.equal(one, other)


def _check_picture(sample: Sample) -> None:
    assert sample.image.dim() == 3
    assert sample.image.shape[0] == 3
    assert sample.image.dtype == torch.uint8


def _check_truth(sample: Sample, classes: int) -> None:
    height, width = sample.image.shape[1:]
    for mask, highest in ((sample.mask, classes), (sample.parts, 2)):
        if mask is not None:
            assert mask.shape == (height, width)
            assert mask.dtype == torch.uint8
            values = set(mask.unique().tolist()) - {IGNORED}
            assert values <= set(range(highest + 1))
    assert sample.boxes.shape == (len(sample.box_classes), 4)
    for (x0, y0, x1, y1), c in zip(sample.boxes.tolist(), sample.box_classes.tolist(), strict=True):
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        assert bool(sample.labels[c]), "a box of a class that the label does not hold"
