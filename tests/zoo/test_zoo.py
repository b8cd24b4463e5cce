"""The stages of many libraries' networks lie where they say; their values are those of plain hooks.

A sample runs each time; ``CAMFORGE_ZOO=all`` runs every network.
"""

import os
import warnings

import pytest
from torch import Tensor

import camforge
from camforge.capture import Capture, ModelLayers, Needs, extract_maps

from .networks import LAYOUTS, NETWORKS, network
from .oracle import follows, grad_of, laid_out, nine_blocks, raw_outputs

SAMPLE = (
    "resnet18", "vit", "swin_tiny_patch4_window7_224", "vit_eight_registers", "vit_flat_patches", "hf_segformer",
    "hf_clip", "open_clip_vit",
)  # fmt: skip
CHOSEN = tuple(NETWORKS) if os.environ.get("CAMFORGE_ZOO") == "all" else SAMPLE
pytestmark = [pytest.mark.zoo, pytest.mark.filterwarnings("ignore")]


class ElementWise:
    """sum_k A_k dy/dA_k of the last stage: every activation and gradient shows, with its sign."""

    scales, flip, tta_merge = (1.0,), False, "sum"

    def needs(self, model_layers: ModelLayers) -> Needs:
        return Needs(activations=model_layers.resolve("last"), gradients=model_layers.resolve("last"))

    def extract(self, capture: Capture) -> list[Tensor]:
        (name,) = capture.resolve("last")
        return [(capture.gradients[name] * capture.activations[name]).sum(1)]


def test_there_are_as_many_networks_as_promised() -> None:
    assert len(NETWORKS) >= 60


@pytest.mark.parametrize("name", CHOSEN)
def test_the_stages_lie_where_the_image_changes(name: str) -> None:
    pytest.importorskip("timm", reason="the zoo needs timm, transformers and open_clip_torch")
    model, images = network(name)
    model_layers = ModelLayers(model, (images,))
    stages, grids = model_layers.stages, model_layers.grids((images,))
    base, nine = (raw_outputs(model, stages, x) for x in (images[:1], nine_blocks(images[:1])))
    for stage in stages:
        down, across = follows(grids(base[stage], stage), grids(nine[stage], stage))
        assert min(down, across) > 0.8, (stage, down, across)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert camforge.explain(model, images, 1).layers == stages[-1:]
    value, gradient = grad_of(model, stages[-1], images, 1)
    layout = LAYOUTS.get(name, "first")
    expected = (laid_out(value, layout, images.shape[2:]) * laid_out(gradient, layout, images.shape[2:])).sum(1)
    found = extract_maps(model, images, [ElementWise()], 1).maps[0][0].double()
    assert found.shape == expected.shape
    assert expected.abs().max() > 0
    assert (found - expected).abs().max() < 2e-3 * expected.abs().max()
