"""What is expected of a backbone."""

from __future__ import annotations

import torch

from camforge.interfaces import Backbone
from camforge.testing.base import PluginContract
from camforge.testing.examples import example_images
from camforge.types import Network


class BackboneContract(PluginContract):
    """A backbone builds classifiers with named stages."""

    size: int = 64
    """Height and width of the images it is tried on."""

    def network(self, plugin: Backbone, outputs: int = 3) -> Network:
        torch.manual_seed(0)
        return plugin.build(outputs, pretrained=False).eval()

    def test_logits(self, plugin: Backbone, device: str) -> None:
        images = example_images(2, self.size, self.size).to(device)
        for outputs in (1, 3):
            assert self.network(plugin, outputs).to(device)(images).shape == (2, outputs)

    def test_a_batch_of_one(self, plugin: Backbone) -> None:
        network, images = self.network(plugin).double(), example_images(2, self.size, self.size).double()
        assert torch.allclose(network(images[:1]), network(images)[:1], rtol=1e-9, atol=1e-9)

    def test_stages_are_modules_shallow_to_deep(self, plugin: Backbone) -> None:
        network = self.network(plugin)
        sizes: dict[str, int] = {}
        for stage in network.stages:
            network.body.get_submodule(stage).register_forward_hook(
                lambda _m, _i, out, stage=stage: sizes.update({stage: out.shape[-1] * out.shape[-2]})
            )
        network(example_images(1, self.size, self.size))
        assert tuple(sizes) == network.stages, "stages are passed in another order, or not at all"
        assert sorted(sizes.values(), reverse=True) == list(sizes.values())

    def test_the_head_has_a_row_per_output(self, plugin: Backbone) -> None:
        rows = self.network(plugin).class_features()
        assert rows.dim() == 2
        assert rows.shape[0] == 3
        assert not rows.requires_grad

    def test_features_can_be_trained_through(self, plugin: Backbone) -> None:
        logits, features = self.network(plugin).features(example_images(1, self.size, self.size))
        assert logits.shape == (1, 3)
        assert features.dim() == 4
        assert features.requires_grad

    def test_a_seed_makes_it_repeat(self, plugin: Backbone) -> None:
        one, other = self.network(plugin).state_dict(), self.network(plugin).state_dict()
        assert all(torch.equal(one[name], other[name]) for name in one)
