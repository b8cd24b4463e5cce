"""What is expected of a trainer."""

from __future__ import annotations

import torch
from torch import Tensor

from camforge.interfaces import Learner, SeedLearner, Trainer
from camforge.testing.base import PluginContract
from camforge.testing.examples import example_images
from camforge.types import Network

OUTPUTS = 2  # every trainer serves two outputs, those of pair classifiers alone included


class TrainerContract(PluginContract):
    """A trainer makes learners; the loop is the host's."""

    def learner(self, plugin: Trainer) -> Learner:
        torch.manual_seed(0)
        return plugin.learner(OUTPUTS, pretrained=False)

    def loss(self, learner: Learner, images: Tensor) -> Tensor:
        """The sum that is minimised."""
        named = learner.losses(images, self.targets(learner, images))
        return torch.stack([value for name, value in named.items() if "loss" in name]).sum()

    def targets(self, learner: Learner, images: Tensor) -> Tensor:
        """One output per image in turn; for a learner of seeds it lies in the left half, with nothing around."""
        shown = torch.eye(OUTPUTS, device=images.device).repeat(len(images), 1)[: len(images)]
        if not isinstance(learner, SeedLearner):
            return shown
        left = torch.zeros(8, 8, device=images.device)
        left[:, :4] = 1
        return shown[:, :, None, None] * left

    def test_it_has_networks(self, plugin: Trainer) -> None:
        learner = self.learner(plugin)
        assert isinstance(learner, Learner)
        assert len(learner.networks) >= 1
        for network in learner.networks:
            assert isinstance(network, Network)
            assert network.eval()(example_images(2, 32, 32)).shape == (2, OUTPUTS)

    def test_losses_are_named_scalars(self, plugin: Trainer, device: str) -> None:
        learner = self.learner(plugin).to(device).train()
        images = example_images(4, 32, 32).to(device)
        losses = learner.losses(images, self.targets(learner, images))
        assert any("loss" in name for name in losses)
        for name, value in losses.items():
            assert value.shape == (), f"{name} is not a scalar"
            assert torch.isfinite(value)
            assert value.device.type == device

    def test_every_network_learns(self, plugin: Trainer) -> None:
        learner = self.learner(plugin).train()
        self.loss(learner, example_images(4, 32, 32)).backward()
        for network in learner.networks:
            moved = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters()]
            assert any(moved)

    def test_the_loss_falls_on_a_few_images(self, plugin: Trainer) -> None:
        learner, images = self.learner(plugin).train(), example_images(4, 32, 32)
        optimizer = torch.optim.Adam(learner.parameters(), lr=1e-2)
        first = float(self.loss(learner, images).detach())
        for _ in range(6):
            optimizer.zero_grad()
            self.loss(learner, images).backward()
            optimizer.step()
        assert float(self.loss(learner, images).detach()) < first

    def test_a_batch_of_one(self, plugin: Trainer) -> None:
        learner = self.learner(plugin).train()
        assert torch.isfinite(self.loss(learner, example_images(1, 32, 32)))

    def test_weights_round_trip(self, plugin: Trainer) -> None:
        learner = self.learner(plugin)
        other = plugin.learner(OUTPUTS, pretrained=False)
        other.load_state_dict(learner.state_dict())
        images = example_images(2, 32, 32)
        for one, copy in zip(learner.eval().networks, other.eval().networks, strict=True):
            assert torch.equal(one(images), copy(images))

    def test_a_seed_makes_it_repeat(self, plugin: Trainer) -> None:
        one, other = self.learner(plugin).state_dict(), self.learner(plugin).state_dict()
        assert all(torch.equal(one[name], other[name]) for name in one)
