"""The small network: its stages, its start, its parameters."""

import pytest
import torch

from camforge.api import CamForgeError
from camforge.host.registry import build
from camforge_plugins.backbones import Small

N8 = {"widths": (16, 32, 64, 64), "strides": (2, 2, 1, 1), "blocks": ("residual",) * 4}


@pytest.mark.parametrize(("options", "last", "side"), [({}, 64, 16), (N8, 64, 8)])
def test_the_two_recipes_have_the_map_sizes_they_promise(options: dict, last: int, side: int) -> None:
    network = Small(**options).build(12).eval()
    logits, features = network.features(torch.randn(2, 3, 64, 64))
    assert features.shape == (2, last, side, side)
    assert logits.shape == (2, 12)
    assert features.min() == 0  # behind a ReLU, as the orthogonal constraint needs it
    assert network.stages == ("stage1", "stage2", "stage3", "stage4")


def test_logits_are_the_pooled_last_stage_times_the_class_rows() -> None:
    network = Small().build(5).eval()
    logits, features = network.features(torch.randn(2, 3, 64, 64))
    bias = network.body.fc.bias
    torch.testing.assert_close(logits, features.mean((2, 3)) @ network.class_features().T + bias)


def test_a_residual_block_is_its_branch_plus_its_shortcut() -> None:
    block = Small(widths=(16,), strides=(1,), blocks=("residual",)).build(2).eval().body.stage1
    torch.nn.init.zeros_(block.second[1].weight)  # silences the branch: only the identity is left
    x = torch.randn(1, 16, 8, 8)
    torch.testing.assert_close(block(x), x.clamp(min=0))


def test_training_starts_at_the_prior_of_a_rare_class() -> None:
    network = Small().build(7).eval()
    with torch.no_grad():
        scores = torch.sigmoid(network(torch.randn(4, 3, 64, 64)))
    assert float(scores.mean()) == pytest.approx(0.119, abs=0.02)


def test_lists_of_unequal_length_are_refused() -> None:
    with pytest.raises(CamForgeError, match=r"one entry per stage.*'widths': 2.*'strides': 4"):
        build("backbone", {"name": "small", "widths": [8, 8]})
