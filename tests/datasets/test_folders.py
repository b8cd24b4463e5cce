"""Folders as people have them: what systems leave behind, suffixes, blurred masks, folders of class folders."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from camforge.api import CamForgeError
from camforge_plugins.datasets import KSDD2, ImageFolder
from camforge_plugins.datasets.folders import blurred_levels, held_out


@pytest.fixture
def pets(tmp_path: Path, picture: Callable) -> Path:
    """Ten cats and five dogs, in one folder each."""
    for name, count in (("cat", 10), ("dog", 5)):
        for i in range(count):
            picture(tmp_path / "pets" / name / f"{i}.jpg")
    return tmp_path / "pets"


def test_class_folders_are_divided_alike_everywhere(pets: Path) -> None:
    train, val = (ImageFolder(root=str(pets)).open(split) for split in ("train", "val"))  # type: ignore[arg-type]
    assert train.labels.sum(0).tolist() == [8, 4]  # a fifth of each class
    assert val.labels.sum(0).tolist() == [2, 1]
    assert len({*train.ids, *val.ids}) == 15
    assert ImageFolder(root=str(pets)).open("val").ids == val.ids
    others = [ImageFolder(root=str(pets), seed=seed).open("val").ids for seed in range(1, 9)]
    assert len({val.ids, *others}) > 3
    half = ImageFolder(root=str(pets), val_fraction=0.5).open("val")
    assert half.labels.sum(0).tolist() == [5, 2]


def test_other_classes_do_not_change_how_one_is_divided(pets: Path, picture: Callable) -> None:
    before = [name for name in ImageFolder(root=str(pets)).open("val").ids if name.startswith("cat")]
    for i in range(4):
        picture(pets / "bird" / f"{i}.jpg")
    assert [name for name in ImageFolder(root=str(pets)).open("val").ids if name.startswith("cat")] == before


@pytest.mark.parametrize(("files", "expected"), [(1, 0), (2, 1), (3, 1), (100, 90)])
def test_a_class_is_never_all_for_validation(files: int, expected: int) -> None:
    names = [Path(f"{i}.jpg") for i in range(files)]
    assert len(held_out(names, 0.9 if files > 3 else 0.2, "key")) == expected


def test_a_split_that_was_named_must_be_there(pets: Path, told: Callable) -> None:
    for options in ({"train": "training"}, {"val": "valid"}):
        assert "pets holds cat, dog" in told(ImageFolder(root=str(pets), **options))
    assert "there is no folder" in told(ImageFolder(root=str(pets / "nowhere")))
    assert "holds neither 'train' nor class folders" in told(ImageFolder(root=str(pets / "cat")))


def test_what_systems_and_tools_leave_behind_does_not_train(pets: Path, picture: Callable) -> None:
    before = ImageFolder(root=str(pets)).open("train").ids
    for name in (".ipynb_checkpoints/1-checkpoint.jpg", "cat/.ipynb_checkpoints/1.jpg", "__MACOSX/cat/1.jpg",
                 "cat/__MACOSX/1.jpg", "dog/._1.jpg", "@eaDir/1.jpg", ".hidden/1.jpg"):  # fmt: skip
        picture(pets / name)
    for name in ("cat/Thumbs.db", "dog/.DS_Store", "desktop.ini"):
        (pets / name).write_bytes(b"x")
    images = ImageFolder(root=str(pets)).open("train")
    assert images.classes == ("cat", "dog")
    assert images.ids == before


def test_no_photograph_vanishes(pets: Path, picture: Callable) -> None:
    (pets / "cat" / "0.jpg").rename(pets / "cat" / "0.jfif")
    (pets / "cat" / "1.jpg").rename(pets / "cat" / "1.CR2")
    picture(pets / "beside.jpg")
    splits = [ImageFolder(root=str(pets)).open(split) for split in ("train", "val")]  # type: ignore[arg-type]
    assert {"cat/0.jfif", "cat/1.CR2"} <= {name for images in splits for name in images.ids}
    assert splits[0].notes == (f"images in no class folder, left out: 1, {pets / 'beside.jpg'}",)


def test_a_phone_s_photograph_is_read(pets: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    pixels = np.full((16, 24, 3), (200, 40, 90), np.uint8)
    heif.from_bytes("RGB", (24, 16), pixels.tobytes()).save(str(pets / "dog" / "a.heic"), quality=100)
    images = [ImageFolder(root=str(pets)).open(split) for split in ("train", "val")]  # type: ignore[arg-type]
    found = [split.load(split.ids.index("dog/a.heic")) for split in images if "dog/a.heic" in split.ids]
    assert len(found) == 1
    assert (found[0].image.float().mean((1, 2)) - torch.tensor([200.0, 40, 90])).abs().max() < 4


def test_heic_without_its_reader_is_one_line(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from camforge.data import decoding

    monkeypatch.setattr(decoding, "find_spec", lambda _name: None)
    (pets / "x.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(CamForgeError, match=r"x\.heic: .*HEIC needs the package pillow-heif"):
        decoding.read_image(pets / "x.heic")


def disc(side: int = 64) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side]
    return np.where((rows - 30) ** 2 + (columns - 35) ** 2 < 400, 255, 0).astype(np.uint8)


def as_jpeg(values: np.ndarray, quality: int) -> np.ndarray:
    file = BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_blur_by_jpeg_or_resizing_is_seen(quality: int) -> None:
    assert blurred_levels(torch.from_numpy(as_jpeg(disc(), quality))) > 8
    small = np.array(Image.fromarray(disc(256)).resize((90, 90), Image.Resampling.BILINEAR))
    assert blurred_levels(torch.from_numpy(small)) > 8


def test_numbers_are_no_blur() -> None:
    assert blurred_levels(torch.from_numpy(disc())) == 0
    assert blurred_levels(torch.zeros(9, 9, dtype=torch.uint8)) == 0
    annotators = torch.tensor([0, 51, 102, 153, 204, 255], dtype=torch.uint8).repeat_interleave(10).expand(20, 60)
    assert blurred_levels(annotators) == 0
    instances = torch.zeros(60, 60, dtype=torch.uint8)  # twelve objects, numbered from the top
    for i in range(12):
        instances[5 * i : 5 * i + 4, 20:40] = 255 - i
    assert blurred_levels(instances) == 0


def test_a_blurred_mask_is_refused_unless_a_threshold_is_given(pets: Path, mask_file: Callable) -> None:
    masks = pets.parent / "masks"
    for name in ImageFolder(root=str(pets)).open("train").ids:
        Image.new("RGB", (64, 64)).save(pets / name)
        mask_file((masks / name).with_suffix(".png"), as_jpeg(disc(), 75))
    images = ImageFolder(root=str(pets), masks=str(masks)).open("train")
    with pytest.raises(CamForgeError, match=r"\.png: a mask with \d+ values between its two.*set dataset\.threshold"):
        images.load(0)
    images = ImageFolder(root=str(pets), masks=str(masks), threshold=128).open("train")
    assert images.load(0).mask.bool().numpy().sum() == pytest.approx((disc() > 0).sum(), abs=8)


def test_a_blurred_mask_of_defects_is_refused(tmp_path: Path, picture: Callable, mask_file: Callable) -> None:
    for split in ("train", "test"):
        picture(tmp_path / split / "1.png", 64, 64)
        mask_file(tmp_path / split / "1_GT.png", as_jpeg(disc(), 75))
        picture(tmp_path / split / "._1.png")
    images = KSDD2(root=str(tmp_path)).open("train")
    assert images.ids == ("1",)
    with pytest.raises(CamForgeError, match="blurred by JPEG or resizing"):
        images.load(0)
