"""Better words must not break what people wrote: old names work, warn, and are gone on time."""

import warnings
from typing import ClassVar

import pytest
from pydantic import ValidationError

import camforge.api
from camforge.api import LayerExtractor


class Renamed(LayerExtractor):
    """Its option had another name."""

    name = "renamed"
    renamed: ClassVar[dict[str, str]] = {"delta": "cut"}
    cut: int = 0

    def layer_map(self, capture, layer):
        raise NotImplementedError


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def test_an_old_name_of_the_interface_warns_and_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(camforge.api._RENAMED, "upsample", ("resize", "2.3"))
    with pytest.warns(DeprecationWarning, match=r"^camforge.api.upsample is now resize; upsample goes in 2.3$"):
        assert camforge.api.upsample is camforge.api.resize
    with pytest.raises(AttributeError, match=r"^module 'camforge.api' has no attribute 'nothing'$"):
        _ = camforge.api.nothing


def test_no_old_name_outlives_its_time() -> None:
    for old, (new, gone) in camforge.api._RENAMED.items():
        assert new in camforge.api.__all__
        assert version(gone) > version(camforge.api.VERSION), f"{old} should be gone"


def test_an_old_option_warns_and_works() -> None:
    with pytest.warns(FutureWarning, match="^Renamed: option 'delta' is now 'cut'; the old name will go$"):
        assert Renamed(delta=20) == Renamed(cut=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Renamed(cut=20).spec()["cut"] == 20


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(ValidationError, match="delta is the old name of cut: give one of the two"):
        Renamed(delta=20, cut=20)
