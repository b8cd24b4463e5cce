"""A reader of the documentation, in an empty folder of their own."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torchvision
from pages import Reader
from torchvision.models._api import WeightsEnum

from camforge import build
from camforge.host.registry import registry
from camforge.pictures import save


@pytest.fixture
def reader(tmp_path, monkeypatch) -> Iterator[Callable[[Path], Reader]]:
    """In the folder lies photo.jpg; nothing is downloaded: published weights are random ones of the same shapes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    save("photo.jpg", build("dataset", {"name": "partworld", "size": 256, "val": 1}).open("val").load(0).image)
    monkeypatch.setattr(WeightsEnum, "get_state_dict", _random_weights)
    modules = set(sys.modules)
    yield lambda page: Reader(page, monkeypatch)
    registry.cache_clear()
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def _random_weights(weights: WeightsEnum, *_args: object, **_options: object) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    arch = type(weights).__name__.removesuffix("_Weights").lower()
    return torchvision.models.get_model(arch, weights=None).state_dict()
