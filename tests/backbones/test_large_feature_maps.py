"""Maps of 28x28 for images of 224, with the weights of the plain network."""

import pytest
import torch
from torch import Tensor

from camforge.host.registry import build


def last_maps(spec: dict[str, object]) -> Tensor:
    """Their shape alone: on the meta device nothing is computed."""
    with torch.no_grad(), torch.device("meta"):
        return build("backbone", spec).build(3).eval().features(torch.zeros(1, 3, 112, 112))[1]


@pytest.mark.parametrize(
    ("spec", "side"),
    [
        ({"name": "wsol_resnet", "arch": "resnet18"}, 28),
        ({"name": "wsol_resnet", "arch": "resnet50", "feature_map": 14}, 14),
        ({"name": "vgg_gap"}, 14),
        ({"name": "vgg_gap", "large_feature_map": True}, 28),
    ],
)
def test_the_side_of_the_last_maps(spec: dict[str, object], side: int) -> None:
    assert last_maps(spec).shape[-2:] == (side // 2, side // 2)


def test_only_the_strides_differ() -> None:
    """At the places that the plain network has as well, layer3's first block returns the same."""
    plain, large = (
        build("backbone", {"name": n, "arch": "resnet18"}).build(3).eval() for n in ("torchvision", "wsol_resnet")
    )
    large.load_state_dict(plain.state_dict())
    x = torch.randn(1, 128, 8, 8)
    with torch.no_grad():
        one, other = (network.body.layer3[0].conv1(x) for network in (plain, large))
    assert torch.allclose(one, other[:, :, ::2, ::2], atol=1e-5)


def test_a_block_behind_the_pool_that_is_left_out() -> None:
    with pytest.raises(Exception, match="leaves pool4 out"):
        build("backbone", {"name": "vgg_gap", "large_feature_map": True, "non_local": ["pool4"]})
