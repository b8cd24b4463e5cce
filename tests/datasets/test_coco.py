"""The COCO reader on a tiny file, on real photographs, and on damaged files."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camforge.api import CamForgeError
from camforge_plugins.datasets import COCO
from camforge_plugins.datasets.outlines import _unpacked, wrong_outline


def thing(number: int, image: int, category: int, box: list[float], **more: Any) -> dict[str, Any]:
    x, y, w, h = box
    outline = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    return {
        "id": number, "image_id": image, "category_id": category, "bbox": box, "area": w * h, "iscrowd": 0,
        "segmentation": outline, **more,
    }  # fmt: skip


@pytest.fixture
def content() -> dict[str, Any]:
    """A cat before a sofa, a crowd of dogs, and a dog beside a crowd (a run-length mask: the first two columns)."""
    crowd = {"size": [8, 12], "counts": [0, 16, 80]}
    return {
        "images": [{"id": i, "file_name": f"00{i}.jpg", "width": 12, "height": 8} for i in (1, 2, 3)],
        "annotations": [
            thing(1, 1, 17, [4, 2, 3, 3]),
            thing(2, 1, 63, [2, 1, 8, 6]),
            thing(3, 2, 18, [0, 0, 2, 8], iscrowd=1, segmentation=crowd),
            thing(4, 3, 18, [5, 5, 3, 2]),
            thing(5, 3, 18, [0, 0, 2, 8], iscrowd=1, segmentation=crowd),
        ],
        "categories": [
            {"id": 17, "name": "cat", "supercategory": "animal"},
            {"id": 18, "name": "dog", "supercategory": "animal"},
            {"id": 63, "name": "couch", "supercategory": "furniture"},
        ],
    }


@pytest.fixture
def write(tmp_path: Path, content: dict[str, Any], picture: Callable) -> Callable[[], Path]:
    def save() -> Path:
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
        for image in content["images"]:
            picture(tmp_path / "train2017" / image["file_name"])
        return tmp_path

    return save


def test_smaller_objects_stand_in_front(write: Callable) -> None:
    images = COCO(root=str(write())).open("train")
    assert images.ids == ("001", "003")  # a crowd alone is no label
    sample = images.load(0)
    assert sample.mask[3, 5] == 1  # the cat
    assert sample.mask[3, 8] == 3  # the couch
    assert sample.mask[0, 0] == 0
    assert sample.boxes.tolist() == [[4, 2, 7, 5], [2, 1, 10, 7]]
    assert images.taxonomy == {"animal": ("cat", "dog"), "furniture": ("couch",)}


def test_crowds_are_ignored_or_kept(write: Callable) -> None:
    mask = COCO(root=str(write())).open("train").load(1).mask
    assert (mask[:, :2] == 255).all()
    assert mask[5, 5] == 2
    kept = COCO(root=str(write()), crowd="keep").open("train")
    assert len(kept) == 3
    assert (kept.load(1).mask[:, :2] == 2).all()


def test_picked_classes_alone_are_seen(write: Callable) -> None:
    images = COCO(root=str(write()), classes=("couch", "dog")).open("train")
    assert images.labels.tolist() == [[True, False], [False, True]]
    assert images.load(0).mask.unique().tolist() == [0, 1]
    assert images.taxonomy == {"animal": ("dog",), "furniture": ("couch",)}


def test_every_problem_is_told_at_once(write: Callable, content: dict[str, Any], told: Callable) -> None:
    content["annotations"] += [thing(6, 9, 17, [0, 0, 2, 2]), thing(7, 1, 99, [0, 0, 2, 2])]
    content["annotations"].append(thing(8, 1, 17, [10, 0, 20, 2]))
    root = write()
    (root / "train2017" / "003.jpg").unlink()
    text = told(COCO(root=str(root), classes=("cat", "dogg")))
    for part in (
        "unknown class 'dogg'; did you mean 'dog'?",
        "annotation 6 is of an unknown image 9",
        "annotation 7 is of an unknown category 99",
        "image '001': box 10,0,30,2 leaves the image of 12x8",
    ):
        assert part in text
    assert "003.jpg is missing" in told(COCO(root=str(root)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop("images"), "there is no list 'images'"),
        (lambda c: c["annotations"][0].pop("bbox"), "annotations[0] has no bbox"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2, "x", 3]), "annotation 1: bbox is not four numbers"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2, -3, 3]), "box 1,2,-2,5 is empty or turned around"),
        (lambda c: c["categories"].append("cow"), "categories[3] has no id, name"),
        (lambda c: c["categories"][1].update(name=7), "categories[1]: name is 7, not str"),
        (lambda c: c["categories"][1].update(supercategory=[]), "categories[1]: supercategory is [], not str"),
        (lambda c: c["annotations"][0].update(image_id=[1]), "annotations[0]: image_id is [1], not int or str"),
        (lambda c: c["annotations"][0].update(area="9"), "annotations[0]: area is '9', not int or float"),
        (lambda c: c["annotations"][0].update(bbox=[0, 0, float("nan"), 3]), "bbox is not four numbers"),
        (lambda c: c["categories"].append(c["categories"][0]), "2 categories have the id 17"),
    ],
)
def test_files_that_are_not_cocos_are_told(
    change: Callable, says: str, write: Callable, content: dict[str, Any], told: Callable
) -> None:
    change(content)
    content_images = content.setdefault("images", []) if "images" in content else None
    root = write() if content_images is not None else _without_images(write, content)
    assert says in told(COCO(root=str(root)))


def _without_images(write: Callable, content: dict[str, Any]) -> Path:
    content["images"] = []
    root: Path = write()
    path = root / "annotations" / "instances_train2017.json"
    path.write_text(json.dumps({k: v for k, v in content.items() if k != "images"}))
    return root


def test_broken_json_and_broken_outlines_are_named(write: Callable, content: dict[str, Any], told: Callable) -> None:
    content["annotations"][0]["segmentation"] = {"size": [8, 12], "counts": None}
    root = write()
    with pytest.raises(CamForgeError, match=r"001\.jpg: object 1 has a broken segmentation"):
        COCO(root=str(root)).open("train").load(0)
    (root / "annotations" / "instances_train2017.json").write_text('{"images": [')
    assert "instances_train2017.json: broken JSON" in told(COCO(root=str(root)))
    assert f"there is no {root / 'annotations' / 'instances_val2017.json'}" in told(COCO(root=str(root)), "val")


@pytest.mark.parametrize(
    ("outline", "says"),
    [
        ({"size": [8, 12], "counts": [0, 16]}, "run lengths of 16 pixels, not 96"),
        ({"size": [8, 12], "counts": [0, 100000]}, "run lengths of 100000 pixels, not 96"),
        ({"size": [8, 12], "counts": []}, "run lengths of 0 pixels, not 96"),
        ({"size": [8, 12], "counts": [-5, 101]}, "run lengths that are not numbers from 0"),
        ({"size": [80, 12], "counts": [0, 960]}, "run lengths of size [80, 12], the image has [8, 12]"),
        ({"size": [8, 12], "counts": "o"}, "run lengths that break off"),
        ({"size": [8, 12], "counts": "0`0"}, "run lengths of 16 pixels, not 96"),
        ({"size": [8, 12]}, "neither polygons nor run lengths"),
        ([[0, 0, 1e9, 0, 1e9, 1e9]], "a polygon with a corner far outside the image, at 1e+09"),
        ([[0, 0, float("nan"), 0, 1, 1]], "a polygon with a corner far outside the image, at nan"),
        ([[1, 2, 3, 4, 5, None]], "a polygon that is not a list of numbers"),
        ([[1, 2, 3, 4]], "a polygon of 4 numbers, not x, y of 3 corners or more"),
    ],
)
def test_outlines_that_pycocotools_would_die_of_or_guess(
    outline: Any, says: str, write: Callable, content: dict[str, Any]
) -> None:
    """It reads memory that is not its own, or ends the process."""
    content["annotations"][0]["segmentation"] = outline
    with pytest.raises(CamForgeError) as caught:
        COCO(root=str(write())).open("train").load(0)
    assert str(caught.value).endswith(f"001.jpg: object 1 has a broken segmentation ({says})")


def test_any_damage_is_told(write: Callable, told_of_damage: Callable) -> None:
    root = write()
    shutil.copytree(root / "train2017", root / "val2017")
    shutil.copy(root / "annotations/instances_train2017.json", root / "annotations/instances_val2017.json")
    assert told_of_damage(root, lambda copy: COCO(root=str(copy))) > 10


def test_compressed_run_lengths_are_those_of_pycocotools() -> None:
    from pycocotools.mask import encode

    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = rng.random((40, 70)) < rng.random()
        counts = encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        runs = np.diff(np.flatnonzero(np.diff(mask.T.ravel(), prepend=0, append=-1)), prepend=0)
        assert _unpacked(counts) == runs.tolist()
        assert wrong_outline({"size": [40, 70], "counts": counts}, (40, 70)) == ""
        assert wrong_outline({"size": [40, 70], "counts": counts[:-1]}, (40, 70)) != ""


def test_real_photographs(shared_data: Path) -> None:
    images = COCO(root=str(shared_data / "coco_mini"), classes=("person", "dog")).open("train")
    assert images.labels.sum(0).tolist() == [17, 5]
    sample = images.load(0)
    for (x0, y0, x1, y1), c in zip(sample.boxes.round().int().tolist(), sample.box_classes.tolist(), strict=True):
        if min(x1 - x0, y1 - y0) >= 4:
            assert (sample.mask[y0:y1, x0:x1] == c + 1).any()


def test_a_box_of_no_area_costs_nothing_but_itself(write: Callable, content: dict[str, Any]) -> None:
    content["annotations"].append(thing(9, 1, 17, [3, 3, 0, 2], segmentation=[[3, 3, 4, 3, 4, 5]]))
    images = COCO(root=str(write()), classes=("cat", "dog", "couch")).open("train")
    assert images.notes == ("boxes of no area, left out: 1, of 001 (3,3,3,5)",)
    assert images.load(0).boxes.tolist() == [[4, 2, 7, 5], [2, 1, 10, 7]]
    content["annotations"][-1]["bbox"] = [3, 3, -1, 2]  # turned around is damage
    with pytest.raises(CamForgeError, match="box 3,3,2,5 is empty or turned around"):
        COCO(root=str(write())).open("train")


@pytest.mark.parametrize("outline", [None, [], [[]], "absent"])
def test_a_file_without_outlines_has_boxes_alone(outline: Any, write: Callable, content: dict[str, Any]) -> None:
    for annotation in content["annotations"]:
        annotation["segmentation"] = outline
        if outline == "absent":
            del annotation["segmentation"]
    sample = COCO(root=str(write())).open("train").load(0)
    assert sample.mask is None
    assert sample.boxes.tolist() == [[4, 2, 7, 5], [2, 1, 10, 7]]


def test_the_box_of_an_object_without_an_outline_is_ignored(write: Callable, content: dict[str, Any]) -> None:
    content["annotations"][1]["segmentation"] = []  # the sofa, behind the cat
    images = COCO(root=str(write()), classes=("cat", "dog", "couch")).open("train")
    assert images.notes == ("objects without an outline, whose boxes are ignored in masks: 1, 2",)
    expected = np.zeros((8, 12))
    expected[1:7, 2:10], expected[2:5, 4:7] = 255, 1
    assert np.array_equal(images.load(0).mask.numpy(), expected)


def test_files_of_one_name_in_two_folders_are_two_images(write: Callable, content: dict[str, Any]) -> None:
    for image, folder in zip(content["images"], "aab", strict=True):
        image["file_name"] = f"{folder}/{min(image['id'], 2)}.jpg"
    assert COCO(root=str(write())).open("train").ids == ("a/1", "b/2")
