"""Every built-in data set passes the contract that plugin authors run."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir

import pytest
from published_layouts import LAYOUTS

from camforge.host.registry import build
from camforge.testing import DatasetContract

# named when tests are collected, by every process of one run alike, and written when they run
FOLDER = Path(gettempdir()) / f"camforge-layouts-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"


@pytest.fixture(scope="module", autouse=True)
def _layouts() -> Iterator[None]:
    for layout in LAYOUTS.values():
        layout(FOLDER)
    yield
    shutil.rmtree(FOLDER)


class TestPartWorld(DatasetContract):
    cases = (
        build("dataset", {"name": "partworld", "train": 60, "val": 20}),
        build("dataset", {"name": "partworld", "train": 40, "val": 10, "size": 48, "background_match": 0.25}),
    )


class TestPublishedLayouts(DatasetContract):
    cases = tuple(
        build("dataset", {"name": name} | {key: str(FOLDER / value) for key, value in paths.items()} | options)
        for name, paths, options in (
            ("voc", {"root": "VOCdevkit"}, {}),
            ("voc", {"root": "VOCdevkit"}, {"train": "Segmentation/train_aug", "classes": ["dog", "cat"]}),
            ("coco", {"root": "coco"}, {}),
            ("coco", {"root": "coco"}, {"classes": ["class 3", "class 1"]}),
            ("cub", {"root": "CUB_200_2011"}, {}),
            ("wsol", {"root": "ILSVRC", "metadata": "metadata/ILSVRC"}, {}),
            ("wsol", {"root": "OpenImages", "metadata": "metadata/OpenImages"}, {"val": "test"}),
            ("ksdd2", {"root": "KolektorSDD2"}, {}),
            ("stl10", {"root": "stl10_binary"}, {}),
            ("stl10", {"root": "stl10_binary"}, {"fold": 2, "classes": ["deer", "car"]}),
            ("stanford_dogs", {"root": "stanford_dogs"}, {}),
            ("stanford_cars", {"root": "stanford_cars"}, {"classes": ["BMW M3 Coupe 2012", "Acura RL Sedan 2012"]}),
            ("image_folder", {"root": "images"}, {}),
            ("image_folder", {"root": "images", "masks": "masks", "boxes": "boxes.csv"}, {"ignored": 128}),
        )
    )
