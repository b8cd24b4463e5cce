"""What is public: listed, whole, and never taken away within a major version; the interfaces' own examples work."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import camforge
import camforge.api
from camforge.interfaces import KINDS, Extractor, GradientExtractor, LayerExtractor, Plugin, RerunExtractor
from camforge.testing import example_images, example_network

ROOT = Path(__file__).resolve().parents[2]
SINCE_2_0 = """
    Axis Backbone CamForgeError Capture Dataset DatasetError Extractor Fuser GradientExtractor Grouper Grouping
    GroupingContext IGNORED ImageSet LayerExtractor LayerMerge Layers Learner LinearHead Maps Metric MetricInput
    ModelLayers Needs Network Percentile RerunExtractor Sample Split TrainedModel Trainer Truncation VERSION View
    hookimpl max_normalise minmax_normalise read_image read_mask resize seed_mask spatial_mean stages_of
"""


def test_nothing_public_is_taken_away() -> None:
    """Names are added with a minor version; taking one away needs a new major one."""
    assert camforge.api.VERSION.startswith("2.")
    assert set(SINCE_2_0.split()) <= set(camforge.api.__all__)


def test_the_list_is_the_module() -> None:
    listed = camforge.api.__all__
    assert len(set(listed)) == len(listed)
    names = {name for name, value in vars(camforge.api).items() if not inspect.ismodule(value)}
    assert {name for name in names if not name.startswith("_")} == set(listed)


def test_every_name_is_one_that_a_plugin_imports() -> None:
    """A built-in, the example of a stranger's distribution, or a page that shows how a plugin is written."""
    python = [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "examples").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(file.read_text("utf-8") for file in python)
    lists = re.findall(r"from camforge\.api import (?:\(([^)]*)\)|(.*))", text)
    imported = {name for pair in lists for name in re.findall(r"\w+", "".join(pair))}
    assert set(camforge.api.__all__) - imported == {"VERSION"}


def test_the_package_gives_what_it_promises() -> None:
    for name in camforge.__all__:
        assert getattr(camforge, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = camforge.nothing


def examples() -> Iterator[tuple[type[Plugin], str]]:
    for cls in (*KINDS.values(), LayerExtractor, GradientExtractor, RerunExtractor):
        code = re.search(r"^class .*", inspect.getdoc(cls) or "", re.MULTILINE | re.DOTALL)
        yield cls, code[0] if code else ""


@pytest.mark.parametrize(("cls", "code"), list(examples()), ids=lambda value: getattr(value, "__name__", ""))
def test_the_worked_example_of_an_interface_is_a_plugin(cls: type[Plugin], code: str) -> None:
    assert code, f"{cls.__name__} has no worked example"
    names = vars(camforge.api) | {"torch": torch, "nn": torch.nn}
    exec(textwrap.dedent(code), names)
    made = names[code.split("(")[0].removeprefix("class ")]
    assert issubclass(made, cls)
    assert not inspect.isabstract(made)
    assert made.summary()
    required = {"fuser": {"axis": "view"}, "trainer": {"backbone": camforge.build("backbone", "small")}}
    plugin = made(**required.get(made.kind, {}))
    if isinstance(plugin, Extractor):
        maps = camforge.explain(example_network(), example_images(2), [0, 1], plugin).maps
        assert torch.isfinite(maps).all()
