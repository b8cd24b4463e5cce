"""Two-class networks with one output: sigmoid(l) is the softmax of (0, l), whose second output has the same maps."""

import copy

import pytest
import torch
from torch import nn

import camforge

SPECS = (
    {"name": "rise", "samples": 30}, {"name": "occlusion", "output": "softmax"}, {"name": "reciprocam"},
    {"name": "scorecam", "output": "softmax"}, {"name": "sscam", "output": "softmax", "samples": 2},
    {"name": "iscam", "output": "softmax", "steps": 2}, {"name": "shapleycam", "score": "softmax"}, {"name": "polycam"},
)  # fmt: skip


def both() -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(0)
    one = nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(6, 1),
    ).double().eval()  # fmt: skip
    two = copy.deepcopy(one)
    two[-1] = nn.Linear(6, 2).double()
    for name, value in two[-1].named_parameters():
        value.data[0], value.data[1] = 0, one[-1].get_parameter(name).data[0]
    return one, two


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec["name"])
def test_a_single_output_has_the_maps_of_the_second_of_two(spec: dict[str, object]) -> None:
    one, two = both()
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    found, want = (camforge.explain(net, images, target, spec).maps for net, target in ((one, 0), (two, 1)))
    assert (want.flatten(1).amax(1) > want.flatten(1).amin(1)).all()
    torch.testing.assert_close(found, want, rtol=1e-8, atol=1e-10)


def test_metrics_and_concepts_read_a_single_output_likewise() -> None:
    one, two = both()
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    metric = {"name": "pixel_flipping", "score": "softmax", "steps": 4}
    found, want = (camforge.measure(net, images, target, metrics=metric) for net, target in ((one, 0), (two, 1)))
    assert found["pixel_flipping"] == pytest.approx(want["pixel_flipping"])
    alone, beside = (camforge.concepts(net, images, {"name": "dff", "count": 2}).probabilities for net in (one, two))
    torch.testing.assert_close(alone[..., 0], beside[..., 1])
