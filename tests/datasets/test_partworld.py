"""PartWorld: repeatable, labelled without drawing, and with a truth that agrees with itself."""

import time

import numpy as np
import pytest
import torch

from camforge.api import CamForgeError, ImageSet
from camforge.host.registry import build
from camforge_plugins.datasets.partworld import PartWorld


@pytest.fixture(scope="module")
def world() -> PartWorld:
    return PartWorld(train=200, val=40)


@pytest.fixture(scope="module")
def images(world: PartWorld) -> ImageSet:
    return world.open("train")


def test_an_image_depends_on_seed_split_and_index_alone(images: ImageSet) -> None:
    again = PartWorld(train=8).open("train")  # a shorter set, opened anew: the same images
    for i in (7, 2):
        first, second = images.load(i), again.load(i)
        assert first.id == second.id
        for name in ("image", "labels", "mask", "parts", "boxes", "box_classes"):
            assert torch.equal(getattr(first, name), getattr(second, name)), name
    for other in (PartWorld(train=8, seed=1).open("train"), PartWorld(val=8).open("val")):
        assert not torch.equal(other.load(2).image, images.load(2).image)


def test_the_fingerprint_tells_options_and_splits_apart(images: ImageSet) -> None:
    others = [
        PartWorld(train=200, val=40, **kw).open("train")
        for kw in ({"seed": 1}, {"size": 96}, {"background_match": 0.5})
    ]
    marks = {i.fingerprint for i in [images, PartWorld(train=200, val=40).open("val"), *others]}
    assert len(marks) == 5
    assert PartWorld(train=200, val=40).open("train").fingerprint == images.fingerprint


def test_labels_masks_parts_and_boxes_agree(images: ImageSet) -> None:
    for i in range(40):
        sample = images.load(i)
        assert torch.equal(sample.labels, images.labels[i])
        shown = sorted(set(sample.mask.unique().tolist()) - {0})
        assert shown == [1 + c for c in sample.labels.nonzero().flatten().tolist()]
        assert sorted(set(sample.box_classes.tolist())) == [c - 1 for c in shown]
        assert torch.equal(sample.parts > 0, sample.mask > 0)
        for (x0, y0, x1, y1), c in zip(sample.boxes.int().tolist(), sample.box_classes.tolist(), strict=True):
            inside = sample.mask[y0:y1, x0:x1] == c + 1
            assert inside.any(0)[[0, -1]].all()  # the box is tight:
            assert inside.any(1)[[0, -1]].all()  # every side touches the object
            assert (sample.parts[y0:y1, x0:x1][inside] == 2).any(), "no head of this object is to be seen"


def test_every_object_pixel_is_in_a_box_of_its_class(images: ImageSet) -> None:
    for i in range(40):
        sample = images.load(i)
        covered = torch.zeros(64, 64, dtype=torch.uint8)
        for (x0, y0, x1, y1), c in zip(sample.boxes.int().tolist(), sample.box_classes.tolist(), strict=True):
            area = sample.mask[y0:y1, x0:x1] == c + 1
            covered[y0:y1, x0:x1][area] = 1
        assert torch.equal(covered > 0, sample.mask > 0)


def test_the_world_is_as_described() -> None:
    images = PartWorld(train=2000).open("train")
    counts = np.array([len(images.load(i).boxes) for i in range(300)])
    assert np.bincount(counts, minlength=4)[1:] / 300 == pytest.approx([0.45, 0.45, 0.10], abs=0.09)
    assert images.labels.float().mean(0).numpy() == pytest.approx(np.full(12, 0.119), abs=0.03)
    parts = torch.stack([images.load(i).parts for i in range(100)])
    assert float((parts == 2).sum() / (parts > 0).sum()) == pytest.approx(0.2, abs=0.03)  # the head's share


def test_siblings_differ_by_their_heads_alone() -> None:
    """Body pixels of siblings have the same colours; their heads do not."""
    images = PartWorld(train=200).open("train")
    colours: dict[tuple[int, int], list[np.ndarray]] = {}
    for i in range(200):
        sample = images.load(i)
        for c in sample.labels.nonzero().flatten().tolist():
            for part in (1, 2):
                where = (sample.mask == c + 1) & (sample.parts == part)
                colours.setdefault((c, part), []).append(sample.image[:, where].float().mean(1).numpy())
    mean = {key: np.mean(values, axis=0) for key, values in colours.items()}
    bodies = max(np.abs(mean[c, 1] - mean[c - c % 3, 1]).max() for c in range(12))
    heads = min(np.abs(mean[c, 2] - mean[c - c % 3, 2]).max() for c in range(12) if c % 3)
    assert bodies < 25 < heads


def test_backgrounds_go_with_the_family() -> None:
    """The lower background match is, the less the ground's colour tells of the object on it."""

    def spread(match: float) -> float:
        images = PartWorld(train=100, background_match=match).open("train")
        means: list[list[np.ndarray]] = [[], [], [], []]
        for i in range(100):
            sample = images.load(i)
            if images.labels[i].sum() == 1:
                ground = sample.image[:, sample.mask == 0].float().mean(1).numpy()
                means[int(images.labels[i].nonzero()[0]) // 3].append(ground)
        return float(np.std([np.mean(m, axis=0) for m in means], axis=0).mean())

    assert spread(1.0) > 2 * spread(0.25)


def test_the_taxonomy_names_every_class_once(images: ImageSet) -> None:
    assert images.taxonomy is not None
    assert tuple(c for members in images.taxonomy.values() for c in members) == images.classes
    assert len(set(images.classes)) == 12


@pytest.mark.parametrize("size", [32, 97, 224])
def test_objects_scale_with_the_image(size: int) -> None:
    sets = [PartWorld(train=30, size=s).open("train") for s in (64, size)]
    share = [float(torch.stack([s.load(i).mask > 0 for i in range(30)]).float().mean()) for s in sets]
    assert share[1] == pytest.approx(share[0], rel=0.06)
    assert torch.equal(sets[0].labels, sets[1].labels)


def test_drawing_is_fast(images: ImageSet) -> None:
    images.load(0)  # draws the templates
    start = time.process_time()
    for i in range(100):
        images.load(i)
    assert 100 / (time.process_time() - start) > 100  # about 600 a second on an idle core


def test_options_out_of_range_are_named() -> None:
    with pytest.raises(CamForgeError, match=r"size: .*32.*; background_match: .*1"):
        build("dataset", {"name": "partworld", "size": 8, "background_match": 2})
