"""The VOC reader on a tiny devkit, on the real photographs, and on damaged copies of both."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from camforge.api import CamForgeError
from camforge_plugins.datasets import VOC

OBJECT = (
    "<object><name>{}</name><difficult>{}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>"
    "<ymax>{}</ymax></bndbox></object>"
)
SIZE = "<size><width>12</width><height>8</height><depth>3</depth></size>"


@pytest.fixture
def devkit(tmp_path: Path, picture: Callable, mask_file: Callable) -> Path:
    """Three training images (dog; cat and a difficult dog; car) and one for validation (dog)."""
    root = tmp_path / "VOCdevkit" / "VOC2012"
    scenes = {
        "2007_01": [("dog", 0, 2, 3, 6, 7)],
        "2007_02": [("cat", 0, 1, 1, 12, 8), ("dog", 1, 1, 1, 3, 3)],
        "2007_03": [("car", 0, 1, 1, 5, 5)],
        "2007_04": [("dog", 0, 1, 1, 5, 5)],
    }
    for name, objects in scenes.items():
        picture(root / "JPEGImages" / f"{name}.jpg")
        (root / "Annotations").mkdir(exist_ok=True)
        text = "".join(OBJECT.format(*o) for o in objects)
        (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{SIZE}{text}</annotation>")
        mask = np.zeros((8, 12))
        mask[0, :4] = (12, 8, 255, 7)  # dog, cat, border, car
        mask_file(root / "SegmentationClass" / f"{name}.png", mask, palette=True)
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_01\n2007_02\n2007_03\n")
    (lists / "val.txt").write_text("2007_04\n")
    return root


def test_labels_follow_the_picked_classes_in_their_order(devkit: Path) -> None:
    images = VOC(root=str(devkit.parents[1]), classes=("dog", "cat")).open("train")
    assert images.ids == ("2007_01", "2007_02")  # the car's image shows neither
    assert images.labels.tolist() == [[True, False], [True, True]]
    without = VOC(root=str(devkit), classes=("dog", "cat"), difficult=False).open("train")
    assert without.labels.tolist() == [[True, False], [False, True]]
    assert without.fingerprint != images.fingerprint


def test_boxes_are_zero_based_with_exclusive_ends(devkit: Path) -> None:
    sample = VOC(root=str(devkit), classes=("cat", "dog")).open("train").load(0)
    assert sample.boxes.tolist() == [[1, 2, 6, 7]]
    assert sample.box_classes.tolist() == [1]


def test_masks_are_renumbered_and_other_classes_become_background(devkit: Path) -> None:
    sample = VOC(root=str(devkit), classes=("cat", "dog")).open("train").load(1)
    assert sample.mask[0, :5].tolist() == [2, 1, 255, 0, 0]


def test_lists_of_paths_and_of_flags_are_read(devkit: Path) -> None:
    lists = devkit / "ImageSets" / "Segmentation"
    (lists / "train_aug.txt").write_text("/JPEGImages/2007_01.jpg /SegmentationClassAug/2007_01.png\n2007_02  1\n")
    images = VOC(root=str(devkit), classes=("dog", "cat"), train="Segmentation/train_aug").open("train")
    assert images.ids == ("2007_01", "2007_02")


def test_a_training_image_may_lack_its_mask_a_validation_image_may_not(devkit: Path, told: Callable) -> None:
    for name in ("2007_01", "2007_04"):
        (devkit / "SegmentationClass" / f"{name}.png").unlink()
    dataset = VOC(root=str(devkit), classes=("dog", "cat"))
    assert dataset.open("train").load(0).mask is None
    assert "2007_04.png is missing" in told(dataset, "val")


def test_every_problem_is_told_at_once(devkit: Path, told: Callable) -> None:
    (devkit / "JPEGImages" / "2007_01.jpg").unlink()
    (devkit / "Annotations" / "2007_02.xml").write_text("<annotation><object>")
    path = devkit / "Annotations" / "2007_03.xml"
    path.write_text(path.read_text().replace("car", "kar"))
    text = told(VOC(root=str(devkit), classes=("dog", "catt", "bus")))
    for part in (
        "unknown class 'catt'; did you mean 'cat'?",
        "2007_01.jpg is missing",
        "2007_02.xml: broken annotation",
        "2007_03.xml: unknown class 'kar'; did you mean 'car'?",
        "no image of this split shows catt, bus",
    ):
        assert part in text
    assert len(text.splitlines()) == 6


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("<xmin>2", "<xmin>9"), "2007_01': box 8,2,6,7 is empty or turned around"),
        (("<xmax>6", "<xmax>60"), "2007_01': box 1,2,60,7 leaves the image of 12x8"),
        (("<xmin>2</xmin>", ""), "2007_01.xml: broken annotation (an object has no complete bndbox)"),
        (("<xmin>2", "<xmin>two"), "2007_01.xml: broken annotation (could not convert string to float: 'two')"),
    ],
)
def test_bad_boxes_are_told_with_their_image(change: tuple[str, str], says: str, devkit: Path, told: Callable) -> None:
    path = devkit / "Annotations" / "2007_01.xml"
    path.write_text(path.read_text().replace(*change))
    assert says in told(VOC(root=str(devkit), classes=("cat", "dog")))


def test_entities_are_refused_before_they_are_read(devkit: Path, told: Callable) -> None:
    bomb = "".join(f'<!ENTITY {b} "{f"&{a};" * 9}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    text = f'<!DOCTYPE x [<!ENTITY a "lol">{bomb}]><annotation>&i;</annotation>'
    (devkit / "Annotations" / "2007_01.xml").write_text(text)
    assert "2007_01.xml: document types and entities are refused" in told(VOC(root=str(devkit)))


def test_broken_images_and_masks_are_named_when_loaded(devkit: Path, picture: Callable, mask_file: Callable) -> None:
    images = VOC(root=str(devkit), classes=("dog", "cat")).open("train")
    good = (devkit / "JPEGImages" / "2007_01.jpg").read_bytes()
    mask_file(devkit / "SegmentationClass" / "2007_01.png", np.zeros((4, 4)), palette=True)
    with pytest.raises(CamForgeError, match=r"2007_01\.png: the mask is 4x4, its image 12x8"):
        images.load(0)
    mask_file(devkit / "SegmentationClass" / "2007_01.png", np.full((8, 12), 77), palette=True)
    with pytest.raises(CamForgeError, match=r"2007_01\.png: values other than 0-20 and 255"):
        images.load(0)
    picture(devkit / "JPEGImages" / "2007_01.jpg", 20, 20)
    with pytest.raises(CamForgeError, match=r"2007_01\.jpg: the image is 20x20, its annotation says 12x8"):
        images.load(0)
    (devkit / "JPEGImages" / "2007_01.jpg").write_bytes(good[: len(good) // 2])
    with pytest.raises(CamForgeError, match=r"2007_01\.jpg: cannot be read as an image"):
        images.load(0)


def test_any_damage_is_told(devkit: Path, told_of_damage: Callable) -> None:
    assert told_of_damage(devkit, lambda root: VOC(root=str(root), classes=("dog", "cat"))) > 10


def test_no_number_is_no_corner(devkit: Path, told: Callable) -> None:
    path = devkit / "Annotations" / "2007_01.xml"
    path.write_text(path.read_text().replace("<xmin>2", "<xmin>nan"))
    assert "2007_01': box nan,2,6,7 is empty or turned around" in told(VOC(root=str(devkit)))


def test_missing_roots_and_lists_name_what_is_there(devkit: Path, told: Callable) -> None:
    assert "no folder JPEGImages in nowhere or " in told(VOC(root="nowhere"))
    text = told(VOC(root=str(devkit), train="Segmentation/trian"))
    assert text.endswith("known: Segmentation/train, Segmentation/val")


def test_the_fingerprint_is_that_of_the_content(devkit: Path) -> None:
    dataset = VOC(root=str(devkit), classes=("dog",))
    before = dataset.open("train").fingerprint
    moved = devkit.rename(devkit.with_name("elsewhere"))
    assert VOC(root=str(moved), classes=("dog",)).open("train").fingerprint == before
    path = moved / "Annotations" / "2007_01.xml"
    path.write_text(path.read_text().replace("<xmin>2", "<xmin>3"))
    assert VOC(root=str(moved), classes=("dog",)).open("train").fingerprint != before


def test_real_photographs_agree_with_their_masks(shared_data: Path) -> None:
    classes = ("cat", "cow", "dog", "horse", "sheep", "person")
    dataset = VOC(root=str(shared_data / "voc_animals"), classes=classes)
    train, val = dataset.open("train"), dataset.open("val")
    assert len(train) == 540
    assert len(val) == 305
    assert not set(train.ids) & set(val.ids)
    assert train.labels.any(1).all()
    for i in range(0, 305, 20):
        sample = val.load(i)
        in_mask = torch.zeros(6, dtype=torch.bool)
        in_mask[[v - 1 for v in sample.mask.unique().tolist() if 0 < v < 255]] = True
        assert (sample.labels & in_mask).any()  # rare classes may be in one and not in the other
        for (x0, y0, x1, y1), c in zip(sample.boxes.int().tolist(), sample.box_classes.tolist(), strict=True):
            assert (sample.mask[y0:y1, x0:x1] == c + 1).any()
