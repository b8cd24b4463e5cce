"""The worked examples in the interfaces' docstrings are plugins that work."""

import inspect

import pytest
import torch
from torch import nn

import camforge
import camforge.api as api
from camforge.interfaces import KINDS, Extractor, GradientExtractor, LayerExtractor, Plugin, RerunExtractor
from camforge.testing import example_images, example_maps, example_metric_input, example_network

WITH_EXAMPLE = [*KINDS.values(), LayerExtractor, GradientExtractor, RerunExtractor]
EXTRACTORS = [cls for cls in WITH_EXAMPLE if issubclass(cls, Extractor)]


def example(interface: type[Plugin]) -> type[Plugin]:
    """The class that an interface's docstring defines."""
    source = "class " + (inspect.getdoc(interface) or "").partition("\nclass ")[2]
    names = {name: getattr(api, name) for name in api.__all__} | {"torch": torch, "nn": nn}
    before = set(names)
    exec(compile(source, f"{interface.__name__}'s example", "exec"), names)
    return next(names[name] for name in names if name not in before and name != "__builtins__")


@pytest.mark.parametrize("interface", WITH_EXAMPLE, ids=lambda cls: cls.__name__)
def test_nothing_is_left_open(interface):
    cls = example(interface)
    assert issubclass(cls, interface)
    assert not inspect.isabstract(cls)
    assert cls.summary().endswith(".")


@pytest.mark.parametrize("interface", EXTRACTORS, ids=lambda cls: cls.__name__)
def test_an_extractor_makes_maps(interface):
    images = example_images(2)
    maps = camforge.explain(example_network(), images, targets=[[0, 1], [2, 3]], extractor=example(interface)()).maps
    assert maps.shape == (4, *images.shape[2:])
    assert maps.isfinite().all()
    assert maps.abs().sum() > 0


def test_the_median_fuser():
    maps = example_maps()
    fused = example(api.Fuser)(axis="layer")(maps)
    assert torch.equal(fused.values, maps.values.median(dim=3).values)


def test_the_mean_map():
    metric_input, metric = example_metric_input(), example(api.Metric)()
    numbers = metric.compute(metric.update(metric_input), ("a", "b", "c"))
    assert numbers["mean_map"] == pytest.approx(float(metric_input.maps.mean()), rel=1e-5)


def test_the_backbone_and_the_data_set():
    assert example(api.Backbone)().build(3)(torch.zeros(2, 3, 8, 8)).shape == (2, 3)
    dots = example(api.Dataset)().open("train")
    assert dots.load(1).image.nonzero()[0].tolist() == [0, 4, 28]
