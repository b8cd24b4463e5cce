"""The KolektorSDD2 reader: one class, sound images kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from camforge.api import CamForgeError
from camforge.data.inspection import opened
from camforge_plugins.datasets import KSDD2


@pytest.fixture
def root(tmp_path: Path, picture: Callable, mask_file: Callable) -> Path:
    for split in ("train", "test"):
        for i, locations in enumerate([[(1, 2)], [], [(0, 0), (6, 9)]]):
            picture(tmp_path / split / f"1000{i}.png")
            mask = np.zeros((8, 12))
            for y, x in locations:
                mask[y : y + 2, x : x + 3] = 255
            mask_file(tmp_path / split / f"1000{i}_GT.png", mask)
    return tmp_path


def test_defects_are_found_in_the_masks(root: Path) -> None:
    images = KSDD2(root=str(root)).open("train")
    assert images.classes == ("defect",)
    assert images.ids == ("10000", "10001", "10002")
    assert images.labels.tolist() == [[True], [False], [True]]
    assert images.load(0).boxes.tolist() == [[2, 1, 5, 3]]
    assert images.load(0).mask.unique().tolist() == [0, 1]
    assert sorted(images.load(2).boxes.tolist()) == [[0, 0, 3, 2], [9, 6, 12, 8]]
    assert len(images.load(1).boxes) == 0


def test_damage_is_told(root: Path, told: Callable) -> None:
    (root / "train" / "10000_GT.png").write_bytes(b"")
    (root / "train" / "10001_GT.png").unlink()
    (root / "train" / "10002.png").unlink()
    text = told(KSDD2(root=str(root)))
    assert "10000_GT.png: cannot be read as a mask" in text
    assert "10001_GT.png is missing" in text
    assert "10002_GT.png: its image 10002.png is missing" in text
    assert "there is no folder nowhere/train" in told(KSDD2(root="nowhere"))


def test_any_damage_is_told(root: Path, told_of_damage: Callable) -> None:
    assert told_of_damage(root, lambda copy: KSDD2(root=str(copy))) > 10


def test_what_the_file_system_refuses_is_one_line() -> None:
    with pytest.raises(CamForgeError, match=r"^dataset 'ksdd2': x+: File name too long$"):
        opened(KSDD2(root="x" * 5000), "train")


def test_a_training_split_without_defects_is_refused(root: Path, told: Callable) -> None:
    for i in range(3):
        Image.new("L", (12, 8)).save(root / "train" / f"1000{i}_GT.png")
    assert told(KSDD2(root=str(root))).endswith("no image of this split shows defect")


def test_real_surfaces(shared_data: Path) -> None:
    dataset = KSDD2(root=str(shared_data / "ksdd"))
    train, val = dataset.open("train"), dataset.open("val")
    assert (len(train), int(train.labels.sum())) == (44, 20)
    assert (len(val), int(val.labels.sum())) == (36, 16)
    sample = val.load(int(val.labels[:, 0].nonzero()[0]))
    assert sample.image.shape[2] == 176
    assert 0 < float((sample.mask == 1).float().mean()) < 0.2


def test_a_part_of_the_training_folder_validates_where_the_option_says_so(root: Path) -> None:
    (root / "test" / "10000.png").unlink()  # nothing of the test folder is read
    train, val = (KSDD2(root=str(root), val_fraction=0.5).open(split) for split in ("train", "val"))
    assert sorted(train.ids + val.ids) == ["10000", "10001", "10002"]
    assert val.labels.tolist() == [[True]]  # one of two defective images, and never the only sound one
    assert train.labels.tolist().count([False]) == 1
    chosen = {KSDD2(root=str(root), val_fraction=0.5, seed=seed).open("val").ids for seed in range(8)}
    assert chosen == {("10000",), ("10002",)}
