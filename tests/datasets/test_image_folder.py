"""Folders of images, with and without masks and boxes."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from camforge.api import CamForgeError
from camforge_plugins.datasets import ImageFolder


@pytest.fixture
def root(tmp_path: Path, picture: Callable, mask_file: Callable) -> Path:
    """Two dogs and a cat to train on, a dog to validate; masks in a folder beside."""
    for name in ("train/dog/1.jpg", "train/dog/2.png", "train/cat/deep/1.JPG", "val/dog/9.jpg"):
        path = tmp_path / "images" / name
        picture(path.with_suffix(path.suffix.lower()))
        if path.suffix == ".JPG":
            path.with_suffix(".jpg").rename(path)
        mask = np.zeros((8, 12))
        mask[2:4, 3:5], mask[0, 0] = 200, 128
        mask_file((tmp_path / "masks" / name).with_suffix(".png"), mask)
    (tmp_path / "images" / "train" / "dog" / "notes.txt").write_text("not an image")
    return tmp_path / "images"


def test_the_folder_is_the_class(root: Path) -> None:
    images = ImageFolder(root=str(root)).open("train")
    assert images.classes == ("cat", "dog")
    assert images.ids == ("cat/deep/1.JPG", "dog/1.jpg", "dog/2.png")
    assert images.labels.tolist() == [[True, False], [False, True], [False, True]]
    val = ImageFolder(root=str(root)).open("val")
    assert val.labels.tolist() == [[False, True]]  # the same classes, though no cat is here
    assert images.load(0).mask is None


def test_masks_take_the_number_of_their_class(root: Path) -> None:
    masks = str(root.parent / "masks")
    sample = ImageFolder(root=str(root), masks=masks).open("train").load(1)
    assert sample.mask.unique().tolist() == [0, 2]
    assert int((sample.mask == 2).sum()) == 5
    sample = ImageFolder(root=str(root), masks=masks, ignored=128, classes=("dog", "cat")).open("train").load(0)
    assert sample.mask[0, 0] == 255
    assert int((sample.mask == 1).sum()) == 4


def test_boxes_come_from_csv_or_json(root: Path) -> None:
    (root / "boxes.csv").write_text("image,x0,y0,x1,y1\ntrain/dog/1.jpg,1,2,3,4\ntrain/dog/1.jpg,5,5,7.5,8\n")
    (root / "boxes.json").write_text(json.dumps({"train/dog/1.jpg": [[1, 2, 3, 4], [5, 5, 7.5, 8]]}))
    for name in ("boxes.csv", "boxes.json"):
        sample = ImageFolder(root=str(root), boxes=str(root / name)).open("train").load(1)
        assert sample.boxes.tolist() == [[1, 2, 3, 4], [5, 5, 7.5, 8]]
        assert sample.box_classes.tolist() == [1, 1]


def test_every_problem_is_told_at_once(root: Path, told: Callable) -> None:
    (root / "train" / "bird").mkdir()
    (root / "val" / "fish").mkdir()
    (root.parent / "masks" / "train" / "dog" / "1.png").unlink()
    (root / "boxes.csv").write_text("image,x0,y0,x1,y1\ntrain/dog/7.jpg,1,2,3,4\ntrain/dog/1.jpg,1,2,x,nan\n")
    text = told(ImageFolder(root=str(root), masks=str(root.parent / "masks"), boxes=str(root / "boxes.csv")))
    for part in (
        "no image of this split shows bird",
        "masks/train/dog/1.png is missing",
        "boxes.csv: there is no image 'train/dog/7.jpg' below",
        "boxes.csv, line 3: 'x' is not a number",
        "boxes.csv, line 3: 'nan' is not a number",
    ):
        assert part in text
    assert "val/fish: the training split has no class 'fish'" in told(ImageFolder(root=str(root)), "val")
    for split, name in (("train", "cafe\u0301"), ("val", "caf\u00e9")):
        (root / split / name).mkdir()
    assert "but one that is spelt with other Unicode characters" in told(ImageFolder(root=str(root)), "val")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("b.csv", "file,x,y\n", "must name the columns image,x0,y0,x1,y1; missing: image, x0, y0, x1, y1"),
        ("b.json", "{", "b.json: broken JSON"),
        ("b.json", "[1]", "b.json: expected {image: [[x0, y0, x1, y1], …]}"),
        ("b.json", '{"train/dog/1.jpg": [[1, 2, 3]]}', "a box has four numbers x0, y0, x1, y1, not 3"),
        ("b.json", '{"train/dog/1.jpg": [[3, 2, 1, 4]]}', "box 3,2,1,4 is empty or turned around"),
    ],
)
def test_broken_boxes_are_told(name: str, content: str, says: str, root: Path, told: Callable) -> None:
    (root.parent / name).write_text(content)
    assert says in told(ImageFolder(root=str(root), boxes=str(root.parent / name)))


def test_any_damage_is_told(root: Path, told_of_damage: Callable) -> None:
    (root / "boxes.csv").write_text("image,x0,y0,x1,y1\ntrain/dog/1.jpg,1,2,3,4\ntrain/dog/1.jpg,5,5,7.5,8\n")
    (root / "masks").symlink_to(root.parent / "masks")
    for boxes in ("boxes.csv", "boxes.json"):
        made = {"masks": "masks", "boxes": boxes}
        (root / "boxes.json").write_text(json.dumps({"train/dog/1.jpg": [[1, 2, 3, 4], [5, 5, 7.5, 8]]}))
        dataset = lambda copy, made=made: ImageFolder(root=str(copy), **{k: str(copy / v) for k, v in made.items()})  # noqa: E731
        assert told_of_damage(root, dataset) > 10


def test_what_is_wrong_with_boxes_is_told_beside_the_rest(root: Path, told: Callable) -> None:
    (root / "train" / "bird").mkdir()
    text = told(ImageFolder(root=str(root), boxes="nowhere.csv"))
    assert "nowhere.csv is missing" in text
    assert "no image of this split shows bird" in text
    (root / "b.csv").write_text('image,x0,y0,x1,y1\n"' + "a" * 200_000)
    (root / "b.json").write_text("[" * 100_000)
    for name, says in (("b.csv", "b.csv: broken CSV (field larger than"), ("b.json", "b.json: broken JSON (")):
        assert says in told(ImageFolder(root=str(root), boxes=str(root / name)))


def test_names_that_cannot_be_written_down_are_refused(root: Path, told: Callable, picture: Callable) -> None:
    picture(root / "train" / "dog\nfish" / "a.jpg")
    (root / "train" / "cat" / os.fsdecode(b"caf\xe9.jpg")).write_bytes((root / "train" / "dog" / "1.jpg").read_bytes())
    text = told(ImageFolder(root=str(root)))
    assert r"'dog\nfish' cannot be a name: it has control characters, or is not UTF-8" in text
    assert r"'cat/caf\udce9.jpg' cannot be a name" in text


def test_a_box_beyond_the_image_is_clipped_or_refused(root: Path) -> None:
    (root / "b.json").write_text(json.dumps({"train/dog/1.jpg": [[1, 2, 30, 4]], "train/dog/2.png": [[20, 2, 30, 4]]}))
    images = ImageFolder(root=str(root), boxes=str(root / "b.json")).open("train")
    assert images.load(1).boxes.tolist() == [[1, 2, 12, 4]]
    with pytest.raises(CamForgeError, match=r"2\.png: a box lies outside the image of 12x8"):
        images.load(2)


def test_missing_folders_and_unknown_classes_are_named(root: Path, told: Callable) -> None:
    assert "there is no folder" in told(ImageFolder(root=str(root), train="trian"))
    assert "unknown class 'cta'; did you mean 'cat'?" in told(ImageFolder(root=str(root), classes=("cta", "dog")))
    assert "class 'dog' is named more than once" in told(ImageFolder(root=str(root), classes=("dog", "dog")))


def test_real_birds_are_read_as_folders(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "train").symlink_to(shared_data / "cub_birds" / "CUB_200_2011" / "images")
    images = ImageFolder(root=str(tmp_path)).open("train")
    assert len(images) == 460
    assert len(images.classes) == 8
    assert min(images.load(0).image.shape[1:]) == 256
