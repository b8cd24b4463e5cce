"""VGG-GAP and its non-local blocks."""

from pathlib import Path

import numpy as np
import pytest
import torch

from camforge.api import Network
from camforge_plugins.backbones.non_local import NonLocal
from camforge_plugins.backbones.vgg_gap import VGGGap

VECTOR = np.load(Path(__file__).parent / "nonlocal.npz")  # a slow float64 transcription of the paper's equations
PLACES = ("pool2", "pool3", "pool4", "conv5_3")


@pytest.fixture
def block() -> NonLocal:
    block = NonLocal(8).double().eval()
    block.load_state_dict({name[2:]: torch.from_numpy(VECTOR[name]) for name in VECTOR.files if name.startswith("w.")})
    return block


def test_attention_and_output_are_the_papers(block: NonLocal) -> None:
    x = torch.from_numpy(VECTOR["x"])
    attention = block.attention(x)
    torch.testing.assert_close(attention, torch.from_numpy(VECTOR["a"]), rtol=0, atol=1e-12)
    torch.testing.assert_close(attention.sum(-1), torch.ones(1, 9, dtype=torch.float64))
    torch.testing.assert_close(block(x), torch.from_numpy(VECTOR["y"]), rtol=0, atol=1e-12)
    assert block(x).sum().item() == pytest.approx(15.018284336835453, abs=1e-10)


def test_a_fresh_block_is_the_identity() -> None:
    x = torch.rand(2, 16, 5, 7)
    for mode in (True, False):
        torch.testing.assert_close(NonLocal(16).train(mode)(x), x, rtol=0, atol=0)


def network(*places: str, slope: float = 0.0) -> Network:
    torch.manual_seed(3)
    return VGGGap(non_local=places, slope=slope).build(4).eval()  # type: ignore[arg-type]


def test_fresh_blocks_leave_the_network_as_it_is() -> None:
    x = torch.rand(1, 3, 48, 48)
    plain, blocks = network(), network(*PLACES)
    blocks.body.get_submodule("fc").load_state_dict(plain.body.get_submodule("fc").state_dict())
    with torch.no_grad():
        torch.testing.assert_close(blocks(x), plain(x))


def test_blocks_stand_behind_the_layers_named() -> None:
    features = [name for name, _ in network("pool2", "conv5_3").body.get_submodule("features").named_children()]
    assert features[features.index("pool2") - 1] == "9"
    assert features[-2:] == ["29", "conv5_3"]
    assert network("conv5_3").stages[-1] == "features.conv5_3"
    assert network("pool4").stages[-1] == "features.29"


def test_without_pool5_the_last_map_is_a_sixteenth_of_the_image() -> None:
    logits, last = network().features(torch.rand(1, 3, 64, 32))
    assert last.shape == (1, 512, 4, 2)
    assert logits.shape == (1, 4)


def test_the_authors_slope_lets_negative_activations_pass() -> None:
    x = torch.randn(1, 3, 32, 32)
    assert network().features(x)[1].min() >= 0
    assert network(slope=0.2).features(x)[1].min() < 0


def test_a_further_convolution_is_the_last_stage() -> None:
    torch.manual_seed(3)
    made = VGGGap(weights=None, non_local=("conv5_3",), width=24).build(4, pretrained=False)
    assert made.stages[-1] == "features.relu6"
    assert made.stages[:-1] == ("features.3", "features.8", "features.15", "features.22")
    features = made.body.features[:-2](torch.rand(1, 3, 32, 32))
    assert features.shape == (1, 512, 2, 2)
    last = made.body.features[-2:](features)
    assert last.shape == (1, 24, 2, 2)
    torch.testing.assert_close(made.body.fc(last.mean((2, 3))), made.body.fc(made.body.pool(last)))
