"""The CUB reader on a tiny copy of the layout, on real birds, and on damaged lists."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from camforge_plugins.datasets import CUB


@pytest.fixture
def root(tmp_path: Path, picture: Callable) -> Path:
    folder = tmp_path / "CUB_200_2011"
    files = ["001.Black_footed_Albatross/a.jpg", "001.Black_footed_Albatross/b.jpg", "005.Crested_Auklet/c.jpg"]
    for file in files:
        picture(folder / "images" / file)
    lists = {
        "classes": "1 001.Black_footed_Albatross\n2 005.Crested_Auklet\n",
        "images": "".join(f"{i} {file}\n" for i, file in enumerate(files, 1)),
        "image_class_labels": "1 1\n2 1\n3 2\n",
        "bounding_boxes": "1 1.0 2.0 5.5 4.0\n2 0.0 0.0 12.4 8.0\n3 1.0 1.0 2.0 2.0\n",
        "train_test_split": "1 1\n2 0\n3 1\n",
    }
    for name, text in lists.items():
        (folder / f"{name}.txt").write_text(text)
    return tmp_path


def test_the_official_split_classes_and_boxes(root: Path) -> None:
    train, val = CUB(root=str(root)).open("train"), CUB(root=str(root / "CUB_200_2011")).open("val")
    assert train.classes == ("Black footed Albatross", "Crested Auklet")
    assert train.labels.tolist() == [[True, False], [False, True]]
    assert val.ids == ("001.Black_footed_Albatross/b.jpg",)
    assert train.load(0).boxes.tolist() == [[1, 2, 6.5, 6]]  # x, y, width, height -> corners
    assert val.load(0).boxes.tolist() == [[0, 0, 12, 8]]  # published boxes leave the image by fractions
    assert train.load(1).box_classes.tolist() == [1]


def test_published_segmentations_are_used_where_they_are(root: Path, mask_file: Callable) -> None:
    assert CUB(root=str(root)).open("train").load(1).mask is None
    for file in ("001.Black_footed_Albatross/a.png", "005.Crested_Auklet/c.png"):
        votes = np.zeros((8, 12))
        votes[1, 1:4] = (51, 127, 204)
        mask_file(root / "CUB_200_2011" / "segmentations" / file, votes)
    mask = CUB(root=str(root)).open("train").load(1).mask
    assert mask.sum() == 2
    assert mask[1, 3] == 2


def test_damaged_lists_are_told_line_by_line(root: Path, told: Callable) -> None:
    folder = root / "CUB_200_2011"
    (folder / "images" / "005.Crested_Auklet" / "c.jpg").unlink()
    (folder / "bounding_boxes.txt").write_text("1 1.0 2.0 wide 4.0\n3 1.0 1.0\n")
    (folder / "image_class_labels.txt").write_text("1 1\n2 9\n3 2\n")
    text = told(CUB(root=str(root)))
    for part in (
        "(001.Black_footed_Albatross/a.jpg): box: 'wide' is not a number",
        "image 2 (001.Black_footed_Albatross/b.jpg) has no box",
        "(005.Crested_Auklet/c.jpg): a box has four numbers x, y, width, height, not '1.0 1.0'",
        "c.jpg is missing",
    ):
        assert part in text
    (folder / "train_test_split.txt").unlink()
    assert "train_test_split.txt is missing" in told(CUB(root=str(root)))


def test_any_damage_is_told(root: Path, told_of_damage: Callable) -> None:
    assert told_of_damage(root, lambda copy: CUB(root=str(copy))) > 10


def test_unknown_classes_and_roots(root: Path, told: Callable) -> None:
    text = told(CUB(root=str(root), classes=("Crested Aucklet",)))
    assert "unknown class 'Crested Aucklet'; did you mean 'Crested Auklet'?" in text
    assert "no images.txt in nowhere or nowhere/CUB_200_2011" in told(CUB(root="nowhere"))


def test_real_birds(shared_data: Path) -> None:
    dataset = CUB(root=str(shared_data / "cub_birds"))
    train, val = dataset.open("train"), dataset.open("val")
    assert len(train) + len(val) == 460
    assert train.labels.sum(0).tolist() == [30] * 8  # the official split trains on 30 of each class
    sample = val.load(5)
    x0, y0, x1, y1 = sample.boxes[0].tolist()
    assert 0 <= x0 < x1 <= sample.image.shape[2]
    assert 0 <= y0 < y1 <= sample.image.shape[1]
