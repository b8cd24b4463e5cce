"""Stanford Dogs and Stanford Cars: lists in MATLAB files, boxes in XML files and in the lists."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from published_layouts import BOX, stanford_cars, stanford_dogs
from scipy.io import loadmat, savemat

from camforge.api import CamForgeError
from camforge_plugins.datasets import StanfordCars, StanfordDogs


@pytest.fixture
def dogs(tmp_path: Path) -> Path:
    stanford_dogs(tmp_path)
    return tmp_path / "stanford_dogs"


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    stanford_cars(tmp_path)
    return tmp_path / "stanford_cars"


def test_dogs(dogs: Path) -> None:
    val = StanfordDogs(root=str(dogs)).open("val")
    assert val.classes == ("African hunting dog", "Chihuahua", "Japanese spaniel")
    assert val.ids[0] == "n02085620-Chihuahua/n02085620_10.jpg"
    assert val.labels.int().argmax(1).tolist() == [1, 1, 2, 2, 0, 0]
    assert val.load(2).boxes.tolist() == [list(BOX)], "as the annotations have them"
    assert val.load(2).box_classes.tolist() == [2]


def test_dogs_lists_may_lie_in_a_folder(dogs: Path, told: Callable) -> None:
    one = StanfordDogs(root=str(dogs), classes=("Chihuahua",)).open("train").ids
    (dogs / "lists").mkdir()
    for name in ("train_list.mat", "test_list.mat"):
        (dogs / name).rename(dogs / "lists" / name)
    assert StanfordDogs(root=str(dogs), classes=("Chihuahua",)).open("train").ids == one
    (dogs / "lists" / "train_list.mat").unlink()
    assert "there is no train_list.mat in" in told(StanfordDogs(root=str(dogs)))


@pytest.mark.parametrize("wrong", ["../../x.jpg", "Chihuahua/1.jpg", "n1-a/../b.jpg"])
def test_a_list_that_leads_elsewhere(dogs: Path, told: Callable, wrong: str) -> None:
    savemat(dogs / "train_list.mat", {"file_list": np.array([[wrong]], dtype=object)})
    assert "expected paths such as n02085620-Chihuahua/n02085620_7.jpg, not" in told(StanfordDogs(root=str(dogs)))


def test_cars(cars: Path) -> None:
    val = StanfordCars(root=str(cars.parent)).open("val")
    assert val.classes == ("AM General Hummer SUV 2000", "Acura RL Sedan 2012", "BMW M3 Coupe 2012")
    assert val.ids[1] == "cars_test/00002.jpg"
    assert val.labels.int().argmax(1).tolist() == [0, 1, 2, 0, 1, 2]
    assert val.load(1).boxes.tolist() == [list(BOX)], "the files count from 1, the far edges inclusive"


def test_cars_of_a_class_that_is_not_there(cars: Path, told: Callable) -> None:
    path = cars / "devkit" / "cars_train_annos.mat"
    rows = loadmat(path)["annotations"]
    rows[0, 2]["class"] = np.array([[99]])
    rows[0, 3]["fname"] = np.array(["../00004.jpg"])
    savemat(path, {"annotations": rows})
    text = told(StanfordCars(root=str(cars)))
    assert "cars_train_annos.mat, row 3: expected a file, a class and a box" in text
    assert "row 4" in text


@pytest.mark.parametrize("content", [b"", b"no MATLAB file at all", b"MATLAB 5.0 MAT-file" + bytes(200)])
def test_a_damaged_list_is_one_line(cars: Path, content: bytes) -> None:
    (cars / "devkit" / "cars_meta.mat").write_bytes(content)
    with pytest.raises(CamForgeError, match=r"cars_meta\.mat: ") as caught:
        StanfordCars(root=str(cars)).open("train")
    assert "\n" not in str(caught.value)


def test_any_damage_is_told(dogs: Path, cars: Path, told_of_damage: Callable) -> None:
    assert told_of_damage(dogs, lambda copy: StanfordDogs(root=str(copy))) > 10
    assert told_of_damage(cars, lambda copy: StanfordCars(root=str(copy))) > 10
