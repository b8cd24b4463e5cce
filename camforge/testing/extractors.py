"""What is expected of an extractor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from camforge.capture import Targets, extract_maps
from camforge.interfaces import Extractor, LayerExtractor
from camforge.testing.base import PluginContract
from camforge.testing.examples import example_images, example_network
from camforge.testing.reference import ReferencePair
from camforge.types import CamForgeError


class ExtractorContract(PluginContract):
    """Override ``network`` and ``images`` for other kinds of networks, ``reference`` to compare the maths.

    Where a layer's activation and gradient are not enough, override ``references``, which has the network too.

    smooth  False: the map jumps where the last digit of a number changes (percentiles, ranks, random numbers), so that
            single and double precision need not agree
    """

    smooth: ClassVar[bool] = True

    def images(self, count: int = 3) -> Tensor:
        """What is explained: (N, 3, H, W)."""
        return example_images(count)

    def network(self) -> nn.Module:
        """The model that is explained: (B, 3, H, W) -> (B, 5)."""
        return example_network()

    def reference(self, plugin: Extractor, activations: Tensor, gradients: Tensor) -> Tensor | None:
        """A slow float64 transcription of the equation for one pair, (C, h, w) each -> (h, w); None: there is none."""
        del plugin, activations, gradients
        return None

    def references(self, plugin: Extractor, pair: ReferencePair) -> Sequence[Tensor] | None:
        """The maps (h, w) of one pair in float64, layer by layer, before layers or augmented views are merged."""
        found = [self.reference(plugin, *pair.captured(layer)) for layer in pair.layers(plugin)]
        known = [values for values in found if values is not None]
        return known if len(known) == len(found) else None

    def maps(
        self, plugin: Extractor, images: Tensor, targets: Targets = None, network: nn.Module | None = None
    ) -> list[Tensor]:
        """The maps of one pass, one tensor (P, h, w) per layer."""
        return extract_maps(network or self.network(), images, [plugin], targets).maps[0]

    def test_one_map_per_pair_and_layer(self, plugin: Extractor, device: str) -> None:
        maps = self.maps(plugin, self.images().to(device), network=self.network().to(device))
        assert maps
        for layer in maps:
            assert layer.shape[0] == 3
            assert layer.dim() == 3
            assert layer.is_floating_point()
            assert layer.device.type == device
            assert not layer.requires_grad
            assert torch.isfinite(layer).all()

    def test_some_map_is_not_empty(self, plugin: Extractor) -> None:
        assert any(layer.abs().sum() > 0 for layer in self.maps(plugin, self.images()))

    def test_a_batch_of_one(self, plugin: Extractor) -> None:
        network, images = self.network().double(), self.images().double()
        together = self.maps(plugin, images, [0, 1, 2], network)
        for i in range(3):
            alone = self.maps(plugin, images[i : i + 1], [i], network)
            for one, all_ in zip(alone, together, strict=True):
                _close(one[0], all_[i], 1e-8)

    def test_several_targets_of_one_image(self, plugin: Extractor) -> None:
        network, images = self.network().double(), self.images(2).double()
        both = self.maps(plugin, images, [[4, 1], [2, 0]], network)
        for rank, targets in enumerate(([4, 2], [1, 0])):
            for one, all_ in zip(self.maps(plugin, images, targets, network), both, strict=True):
                _close(one, all_.unflatten(0, (2, 2))[:, rank], 1e-8)

    def test_it_repeats_to_the_digit(self, plugin: Extractor) -> None:
        network, images = self.network(), self.images()
        first = self.maps(plugin, images, network=network)
        torch.manual_seed(99)
        for one, other in zip(first, self.maps(plugin, images, network=network), strict=True):
            assert torch.equal(one, other)

    def test_images_of_another_shape(self, plugin: Extractor) -> None:
        for layer in self.maps(plugin, self.images(1).transpose(2, 3)):
            assert torch.isfinite(layer).all()

    def test_double_precision_agrees(self, plugin: Extractor) -> None:
        if not self.smooth:
            pytest.skip("its maps jump where the last digit of a number changes")
        images = self.images()
        single = self.maps(plugin, images, 0)
        for one, exact in zip(single, self.maps(plugin, images.double(), 0, self.network().double()), strict=True):
            _close(one.double(), exact.double(), 1e-3)

    def test_frozen_models_and_no_grad_callers(self, plugin: Extractor) -> None:
        network, images = self.network(), self.images()
        expected = self.maps(plugin, images, 1, network)
        with torch.no_grad():
            found = self.maps(plugin, images, 1, network.requires_grad_(False))
        for one, other in zip(expected, found, strict=True):
            assert torch.equal(one, other)

    def test_the_model_comes_back_untouched(self, plugin: Extractor) -> None:
        network = self.network().train()
        before = _state(network)
        self.maps(plugin, self.images(), network=network)
        assert _state(network) == before

    def test_it_is_untouched_after_an_error(self, plugin: Extractor) -> None:
        network = self.network()
        before = _state(network)
        with pytest.raises(CamForgeError, match="target 99"):
            self.maps(plugin, self.images(), 99, network)
        assert _state(network) == before

    def test_an_unknown_layer_is_named_with_those_there_are(self, plugin: Extractor) -> None:
        if "layers" not in type(plugin).model_fields:
            pytest.skip("it has no option layers")
        wrong = plugin.model_copy(update={"layers": ("no_such_layer",)})
        with pytest.raises(CamForgeError, match=r"no layer 'no_such_layer'.*stages"):
            self.maps(wrong, self.images())

    def test_it_agrees_with_the_reference(self, plugin: Extractor) -> None:
        network, images, single = self.network().double(), self.images(2).double(), _unmerged(plugin)
        for image, target in zip(images, (1, 3), strict=True):
            expected = self.references(single, ReferencePair.of(network, image, target))
            if expected is None:
                pytest.skip("no reference is given: override reference, or references")
            found = self.maps(single, image[None], [target], network)
            for one, exact in zip(found, expected, strict=True):
                _close(one[0], exact, 1e-7)


def _unmerged(plugin: Extractor) -> Extractor:
    """The extractor with its layers' maps left apart, and each image seen once."""
    once: dict[str, object] = {"scales": (1.0,), "flip": False}
    return plugin.model_copy(update=once | ({"merge": None} if isinstance(plugin, LayerExtractor) else {}))


def _close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Equal up to ``tolerance`` of the largest value."""
    assert found.shape == expected.shape
    scale = max(float(expected.abs().max()), 1e-12)
    assert float((found - expected).abs().max()) <= tolerance * scale


def _state(network: nn.Module) -> list[object]:
    """All that a caller could find changed: values, modes, gradients, hooks."""
    state: list[object] = [(name, value.clone().tolist()) for name, value in network.state_dict().items()]
    state += [(parameter.requires_grad, parameter.grad) for parameter in network.parameters()]
    for module in network.modules():
        hooks = len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        state.append((module.training, hooks))
    return state
