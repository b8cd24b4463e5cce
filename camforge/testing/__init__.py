"""Contract tests: what CamForge expects of a plugin, run by its author with pytest.

    from camforge.testing import ExtractorContract
    from mypackage import MyCAM

    class TestMyCAM(ExtractorContract):
        cases = (MyCAM(), MyCAM(layers="stages"))

What a plugin computes is tested once per case. ``pytest -p camforge.testing`` also works and shows the values in failed
assertions.
"""

import pytest

for _module in ("base", "backbones", "datasets", "extractors", "fusers", "groupers", "metrics", "trainers"):
    pytest.register_assert_rewrite(f"camforge.testing.{_module}")

from camforge.testing.backbones import BackboneContract  # noqa: E402
from camforge.testing.base import PluginContract  # noqa: E402
from camforge.testing.datasets import DatasetContract  # noqa: E402
from camforge.testing.examples import (  # noqa: E402
    ExampleGroupingContext,
    example_images,
    example_maps,
    example_metric_input,
    example_network,
    small_backbone,
)
from camforge.testing.extractors import ExtractorContract  # noqa: E402
from camforge.testing.fusers import FuserContract  # noqa: E402
from camforge.testing.groupers import GrouperContract  # noqa: E402
from camforge.testing.metrics import MetricContract  # noqa: E402
from camforge.testing.reference import ReferencePair  # noqa: E402
from camforge.testing.trainers import TrainerContract  # noqa: E402

__all__ = [
    "BackboneContract",
    "DatasetContract",
    "ExampleGroupingContext",
    "ExtractorContract",
    "FuserContract",
    "GrouperContract",
    "MetricContract",
    "PluginContract",
    "ReferencePair",
    "TrainerContract",
    "example_images",
    "example_maps",
    "example_metric_input",
    "example_network",
    "small_backbone",
]
