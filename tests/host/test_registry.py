"""Names to classes: unknown names, wrong options, round trips."""

import pytest

from camforge.host.registry import api_fits, build, registry
from camforge.interfaces import KINDS, Plugin
from camforge.types import CamForgeError


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        ("extractor", "gradcan", "unknown extractor 'gradcan'; did you mean 'gradcam'? known: ablationcam, "),
        ("extractor", {"layers": "last"}, "give the extractor a name; known: ablationcam, "),
        ("extractor", {"name": ["gradcam"]}, "unknown extractor ['gradcam']; "),
        ("extracter", "gradcam", "unknown kind of plugin 'extracter'; did you mean 'extractor'? known: backbone, "),
        ("fuser", {"name": "mean"}, "fuser: axis: is required"),
        (
            "fuser",
            {"name": "mean", "axis": "branches"},
            "fuser: axis: should be 'view', 'branch' or 'layer'; did you mean",
        ),
        (
            "extractor",
            {"name": "gradcam", "layer": "last"},
            "extractor: layer: unknown option; did you mean 'layers'? options: ",
        ),
        (
            "extractor",
            {"name": "gradcam", "truncate": 100},
            "extractor: truncate: should be less than 100 (given: 100)",
        ),
        ("extractor", {"name": "gradcam", "truncate": float("nan")}, "extractor: truncate: should be a finite number"),
        (
            "extractor",
            {"name": "gradcam", "layers": ["a", 3]},
            "extractor: layers.1: should be text (given: 3)",
        ),
        (
            "trainer",
            {"name": "single", "backbone": "smal"},
            "trainer: backbone.name: unknown backbone 'smal'; did you mean",
        ),
        (
            "trainer",
            {"name": "single", "backbone": {"name": "small", "stem": 0}},
            "trainer: backbone.stem: should be greater",
        ),
        (
            "trainer",
            {"name": "single", "backbone": "small", "plateau": {"factor": 2}},
            "trainer: plateau.factor: should be less",
        ),
    ],
)
def test_wrong_spec(kind: str, spec: object, expected: str) -> None:
    with pytest.raises(CamForgeError) as caught:
        build(kind, spec)  # type: ignore[arg-type]
    assert str(caught.value).startswith(expected)


def test_all_mistakes_of_a_spec_at_once() -> None:
    with pytest.raises(CamForgeError, match=r"epochs: .*; optimizer: .*; bogus: unknown option"):
        build("trainer", {"name": "single", "backbone": "small", "epochs": 0, "optimizer": "adm", "bogus": 1})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_built_ins(kind: str) -> None:
    assert registry().plugins[kind]
    assert all(plugin_class.distribution == "camforge" for plugin_class in registry().plugins[kind].values())


def test_no_built_in_is_set_aside() -> None:
    assert [rejected for rejected in registry().rejected if rejected.distribution == "camforge"] == []


def test_a_plugin_inside_a_plugin_round_trips() -> None:
    spec = {"name": "single", "backbone": {"name": "small", "stem": 8}, "plateau": {"patience": 2}, "lr": 0.5}
    trainer: Plugin = build("trainer", spec)
    assert build("trainer", trainer.spec()) == trainer
    assert trainer.spec()["backbone"]["stem"] == 8
    assert trainer.spec()["plateau"]["patience"] == 2


@pytest.mark.parametrize(
    ("needed", "fits"),
    [
        ("", True),
        ("2", True),
        ("2.0", True),
        ("2.1", False),
        ("3", False),
        ("1.1", False),
        ("2.x", False),
    ],
)
def test_interface_versions(needed: str, fits: bool) -> None:
    assert api_fits(needed) is fits
