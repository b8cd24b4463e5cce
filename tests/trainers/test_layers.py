"""Layers that are no feature maps, which trainers that read layers must not take for some."""

import pytest
from torch import Tensor, nn

from camforge.api import Backbone, CamForgeError, Network
from camforge.host.registry import build
from camforge_plugins.trainers.layers import require_grids


class Tokens(nn.Module):
    """(B, C, h, w) -> what a vision transformer's stages return: tokens (B, h w, C), or channels last."""

    def __init__(self, flat: bool) -> None:
        super().__init__()
        self.flat = flat

    def forward(self, grid: Tensor) -> Tensor:
        return grid.flatten(2).mT if self.flat else grid.permute(0, 2, 3, 1)


class Back(nn.Module):
    """What a transformer's head makes of them: their mean (B, C)."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.flatten(1, -2).mean(1)


class Transformed(Backbone):
    """Two stages of one kind, pooled, with a linear layer."""

    name = "transformed"
    flat: bool = True

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        del pretrained
        body = nn.Sequential(nn.Conv2d(3, 6, 16, 16), Tokens(self.flat), nn.ReLU(), Back(), nn.Linear(6, outputs))
        return Network(body, ("1", "1", "2"), "4")


SEEDED = ("pixels", "affinity", "irn", "lpcam")


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("name", [*SEEDED, "saliency", "spg", "adl", "acol"])
def test_tokens_are_no_feature_map(name: str, flat: bool) -> None:
    backbone = Transformed(flat=flat)
    options = {"seeds": {"trainer": {"name": "single", "backbone": backbone}, "extractor": "gradcam"}}
    trainer = build("trainer", {"name": name, "backbone": backbone} | (options if name in SEEDED else {}))
    shape = r"\(1, 196, 6\)" if flat else r"\(1, 14, 14, 6\)"
    with pytest.raises(CamForgeError, match=f"{name}: .*'transformed' .*returns {shape}, no feature map"):
        trainer.learner(2, pretrained=False)


def test_a_layer_that_never_runs(two_convs: Backbone) -> None:
    network = two_convs.build(2)
    network.body.add_module("spare", nn.Identity())
    network.body.forward = lambda images: images.mean((2, 3))[:, :2]  # nothing of it runs
    with pytest.raises(CamForgeError, match="never runs its layer 'spare'"):
        require_grids(build("trainer", {"name": "adl", "backbone": two_convs}), network, ("spare",))
