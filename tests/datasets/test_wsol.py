"""The reader of wsolevaluation's metadata on tiny lists, and on lists made from real birds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from published_layouts import BOX, openimages, saved

from camforge.api import CamForgeError
from camforge_plugins.datasets import CUB, WSOL


@pytest.fixture
def lists(tmp_path: Path, picture: Callable) -> Path:
    """Two training images without boxes, one validation image with two."""
    splits = {"train": {"n01/a.JPEG": 0, "n02/b.JPEG": 2}, "val": {"v/c.JPEG": 2}}
    for split, labels in splits.items():
        folder = tmp_path / "metadata" / split
        folder.mkdir(parents=True)
        for image in labels:
            picture(tmp_path / "images" / image)
        (folder / "image_ids.txt").write_text("\n".join(labels))
        (folder / "class_labels.txt").write_text("\n".join(f"{i},{c}" for i, c in labels.items()))
        (folder / "image_sizes.txt").write_text("\n".join(f"{i},12,8" for i in labels))
    (tmp_path / "metadata" / "val" / "localization.txt").write_text("v/c.JPEG,1,2,5,6\nv/c.JPEG,0,0,3,3\n")
    (tmp_path / "names.txt").write_text("tench\ncrane\ncrane\n")
    return tmp_path


def wsol(lists: Path, **options: object) -> WSOL:
    return WSOL(root=str(lists / "images"), metadata=str(lists / "metadata"), **options)


def test_labels_boxes_and_names(lists: Path) -> None:
    val = wsol(lists, names=str(lists / "names.txt")).open("val")
    assert val.classes == ("tench", "crane", "crane 2")
    assert val.labels.tolist() == [[False, False, True]]
    sample = val.load(0)
    assert sample.boxes.tolist() == [[1, 2, 5, 6], [0, 0, 3, 3]]
    assert sample.box_classes.tolist() == [2, 2]
    assert wsol(lists).open("val").classes == ("class 0", "class 1", "class 2")


def test_picked_classes(lists: Path) -> None:
    train = wsol(lists, classes=("class 2", "class 0")).open("train")
    assert train.ids == ("n01/a.JPEG", "n02/b.JPEG")
    assert train.labels.tolist() == [[False, True], [True, False]]
    assert len(train.load(0).boxes) == 0


def test_imagenets_names_are_told_apart(lists: Path) -> None:
    classes = wsol(lists, names="imagenet").open("val").classes
    assert classes[:2] == ("tench", "goldfish")
    assert len(classes) == len(set(classes)) == 1000


def test_problems_are_told_with_their_lines(lists: Path, told: Callable) -> None:
    folder = lists / "metadata" / "val"
    (folder / "localization.txt").write_text("v/c.JPEG,1,2,5\nv/c.JPEG,1,2,x,6\n")
    (folder / "image_sizes.txt").unlink()
    text = told(wsol(lists), "val")
    assert "localization.txt, line 1: 4 fields, expected 5" in text
    assert "localization.txt: image 'v/c.JPEG': 'x' is not a number" in text
    assert "image_sizes.txt is missing" in text


def test_labels_and_files_are_checked(lists: Path, told: Callable) -> None:
    folder = lists / "metadata" / "train"
    (folder / "class_labels.txt").write_text("n01/a.JPEG,0\nn02/b.JPEG,many\n")
    (lists / "images" / "n01" / "a.JPEG").unlink()
    text = told(wsol(lists, classes=("class 0",)))
    assert "image 'n02/b.JPEG' has no class number from 0 to 0: 'many'" in text
    assert "a.JPEG is missing" in text


def test_any_damage_is_told(lists: Path, told_of_damage: Callable) -> None:
    assert told_of_damage(lists, lambda copy: wsol(copy, classes=("class 0", "class 2"))) > 10


def test_a_class_number_beyond_all_reason(lists: Path, told: Callable) -> None:
    (lists / "metadata" / "train" / "class_labels.txt").write_text("n01/a.JPEG,0\nn02/b.JPEG,999999999\n")
    assert "image 'n02/b.JPEG' has no class number from 0 to 0: '999999999'" in told(wsol(lists))


def test_an_image_of_another_size_is_named_when_loaded(lists: Path) -> None:
    images = wsol(lists).open("val")
    Image.new("RGB", (30, 30)).save(lists / "images" / "v" / "c.JPEG")
    with pytest.raises(CamForgeError, match=r"c\.JPEG: the image is 30x30, its annotation says 12x8"):
        images.load(0)


def test_masks_of_openimages_are_united_and_the_rest_of_the_other_is_ignored(tmp_path: Path, told: Callable) -> None:
    openimages(tmp_path)
    data = WSOL(root=str(tmp_path / "OpenImages"), metadata=str(tmp_path / "metadata/OpenImages"))
    val, train = data.open("val"), data.open("train")
    assert train.load(0).mask is None
    mask = val.load(val.ids.index("val/01/0.jpg")).mask
    assert mask is not None
    x0, y0, x1, y1 = BOX
    assert (mask[y0:y1, x0:x1] == 2).all()
    assert (mask == 2).sum() == (x1 - x0) * (y1 - y0)
    assert set(mask.unique().tolist()) <= {0, 2, 255}
    (tmp_path / "OpenImages/val/01/0_m2.png").unlink()
    assert "0_m2.png is missing" in told(data, "val")


def test_the_content_of_every_mask_is_in_the_fingerprint(tmp_path: Path) -> None:
    openimages(tmp_path)
    data = WSOL(root=str(tmp_path / "OpenImages"), metadata=str(tmp_path / "metadata/OpenImages"))
    before = data.open("val").fingerprint
    saved(np.full((9, 9), 255, np.uint8), tmp_path / "OpenImages/val/01/0_ignore.png")
    assert data.open("val").fingerprint != before


@pytest.mark.parametrize("line", ["val/00/0.jpg,../../x.png,", "val/00/0.jpg,/etc/x.png,", "val/00/0.jpg,,"])
def test_a_mask_that_lies_elsewhere_is_told(tmp_path: Path, told: Callable, line: str) -> None:
    openimages(tmp_path)
    (tmp_path / "metadata/OpenImages/val/localization.txt").write_text(line)
    data = WSOL(root=str(tmp_path / "OpenImages"), metadata=str(tmp_path / "metadata/OpenImages"))
    assert "expected the path of a mask below" in told(data, "val")


def test_real_birds_in_this_layout_are_the_same(shared_data: Path, tmp_path: Path) -> None:
    birds = CUB(root=str(shared_data / "cub_birds"))
    for split in ("train", "val"):
        images = birds.open(split)  # type: ignore[arg-type]
        (tmp_path / split).mkdir()
        rows = [(i, images.load(n)) for n, i in enumerate(images.ids[:40])]
        texts = {
            "image_ids": [i for i, _ in rows],
            "class_labels": [f"{i},{int(s.labels.nonzero()[0])}" for i, s in rows],
            "image_sizes": [f"{i},{s.image.shape[2]},{s.image.shape[1]}" for i, s in rows],
            "localization": [f"{i}," + ",".join(f"{v:.4f}" for v in s.boxes[0].tolist()) for i, s in rows],
        }
        for name, lines in texts.items():
            (tmp_path / split / f"{name}.txt").write_text("\n".join(lines))
    root = shared_data / "cub_birds" / "CUB_200_2011" / "images"
    again, first = WSOL(root=str(root), metadata=str(tmp_path)).open("val").load(3), birds.open("val").load(3)
    assert again.image.equal(first.image)
    assert again.boxes.sub(first.boxes).abs().max() < 1e-3
