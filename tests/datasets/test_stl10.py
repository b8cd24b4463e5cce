"""STL-10's binary layout: rows by class, images stored column by column."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from published_layouts import stl10

from camforge_plugins.datasets import STL10


@pytest.fixture
def root(tmp_path: Path) -> Path:
    stl10(tmp_path)
    return tmp_path


def test_rows_are_images_of_their_class(root: Path) -> None:
    images = STL10(root=str(root)).open("val")
    assert images.classes[:3] == ("airplane", "bird", "car")
    assert images.labels.int().argmax(1).tolist() == [i % 10 for i in range(30)]
    stored = np.fromfile(root / "stl10_binary" / "test_X.bin", np.uint8)
    for row, channel, y, x in ((0, 0, 0, 0), (7, 1, 5, 90), (29, 2, 95, 3)):
        assert images.load(row).image[channel, y, x] == stored[((row * 3 + channel) * 96 + x) * 96 + y]


def test_a_fold_and_picked_classes(root: Path) -> None:
    train = STL10(root=str(root), fold=2, classes=("deer", "car")).open("train")
    assert train.ids == ("train_X/2", "train_X/4")
    assert train.labels.tolist() == [[False, True], [True, False]]
    whole = STL10(root=str(root), classes=("deer", "car")).open("train")
    assert len(whole) == 6
    assert train.load(1).image.equal(whole.load(whole.ids.index("train_X/4")).image)
    assert len(STL10(root=str(root), fold=2).open("val")) == 30, "the test set has no folds"


def test_files_that_do_not_belong_together_are_named(root: Path, told: Callable) -> None:
    folder = root / "stl10_binary"
    labels = np.fromfile(folder / "train_y.bin", np.uint8)
    labels[:-1].tofile(folder / "train_y.bin")
    assert "train_X.bin: 30 images and 0 bytes, train_y.bin has 29 labels" in told(STL10(root=str(root)))
    (labels + 1).tofile(folder / "train_y.bin")
    assert "train_y.bin: expected class numbers from 1 to 10" in told(STL10(root=str(root)))
    (folder / "fold_indices.txt").write_text("0 1\n40 2\n")
    labels.tofile(folder / "train_y.bin")
    assert "fold_indices.txt, line 2: expected row numbers below 30" in told(STL10(root=str(root), fold=1))
    assert "fold_indices.txt: 2 folds, expected ten" in told(STL10(root=str(root), fold=7))
    assert "unknown class 'dear'; did you mean 'deer'?" in told(STL10(root=str(root), classes=("dear",)))


def test_any_damage_is_told(root: Path, told_of_damage: Callable) -> None:
    assert told_of_damage(root / "stl10_binary", lambda copy: STL10(root=str(copy), fold=1)) > 10
