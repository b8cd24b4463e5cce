"""What is expected of a fuser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from camforge.interfaces import Fuser
from camforge.testing.base import PluginContract
from camforge.testing.examples import example_maps
from camforge.types import CamForgeError, Maps


class FuserContract(PluginContract):
    """A fuser takes one named axis out of a stack of maps; one without an axis leaves all of them."""

    def test_it_takes_its_axis_out(self, plugin: Fuser, device: str) -> None:
        maps = _on(example_maps(), device)
        fused = plugin(maps)
        left = [(axis, n) for axis, n in zip(maps.axes, maps.values.shape[1:], strict=False) if axis != plugin.axis]
        assert fused.axes == tuple(axis for axis, _ in left)
        assert fused.values.shape == (len(maps), *(n for _, n in left), *maps.values.shape[-2:])
        assert fused.values.device.type == device
        assert torch.isfinite(fused.values).all()
        assert fused.values.abs().sum() > 0

    def test_every_other_axis_may_be_gone_already(self, plugin: Fuser) -> None:
        maps = example_maps()
        whole = plugin(maps).values
        for place in range(len(maps.axes) - 1, -1, -1):
            if maps.axes[place] != plugin.axis:
                axes = maps.axes[:place] + maps.axes[place + 1 :]
                whole = whole.select(1 + [a for a in maps.axes if a != plugin.axis].index(maps.axes[place]), 0)
                maps = maps.replace(maps.values.select(1 + place, 0), axes)
        assert torch.allclose(plugin(maps).values, whole, atol=1e-6)

    def test_an_axis_of_one(self, plugin: Fuser) -> None:
        maps = example_maps()
        one = maps.replace(maps.values.narrow(1 + maps.axes.index(plugin.axis or maps.axes[0]), 0, 1), maps.axes)
        if plugin.axis in ("view", None):
            one = replace(one, valid=maps.valid[:, :1], outputs=maps.outputs[:, :1])
        assert torch.isfinite(plugin(one).values).all()

    def test_a_batch_of_one(self, plugin: Fuser) -> None:
        maps = example_maps()
        assert maps.photographs is not None
        together = plugin(maps).values
        for image in range(len(maps.labels)):
            mine = maps.images == image
            alone = replace(
                maps, values=maps.values[mine], images=torch.zeros(int(mine.sum()), dtype=torch.int64),
                classes=maps.classes[mine], valid=maps.valid[mine], outputs=maps.outputs[mine],
                labels=maps.labels[image : image + 1], photographs=maps.photographs[image : image + 1],
            )  # fmt: skip
            assert torch.allclose(plugin(alone).values, together[mine], atol=1e-6)

    def test_no_pair_at_all(self, plugin: Fuser) -> None:
        maps = example_maps()
        none = replace(
            maps, values=maps.values[:0], images=maps.images[:0], classes=maps.classes[:0], valid=maps.valid[:0],
            outputs=maps.outputs[:0], labels=torch.zeros_like(maps.labels),
        )  # fmt: skip
        assert plugin(none).values.shape[0] == 0

    def test_views_that_a_class_does_not_have_do_not_count(self, plugin: Fuser) -> None:
        maps = example_maps()
        values = maps.values.clone()
        values[~maps.valid] = 1e6
        found, expected = plugin(maps.replace(values, maps.axes)).values, plugin(maps).values
        if plugin.axis != "view":  # the axis is still there, and these entries belong to no view
            found, expected = found[maps.valid], expected[maps.valid]
        assert torch.allclose(found, expected, atol=1e-5)

    def test_it_repeats_and_leaves_its_input_alone(self, plugin: Fuser) -> None:
        maps = example_maps()
        before = maps.values.clone()
        assert torch.equal(plugin(maps).values, plugin(maps).values)
        assert torch.equal(maps.values, before)

    def test_all_zero_maps_stay_finite(self, plugin: Fuser) -> None:
        maps = example_maps()
        fused = plugin(maps.replace(torch.zeros_like(maps.values), maps.axes)).values
        assert torch.equal(fused, torch.zeros_like(fused))

    def test_an_axis_that_is_gone_is_named(self, plugin: Fuser) -> None:
        maps = example_maps()
        if plugin.axis is None:  # it needs none
            assert plugin(maps.replace(maps.values[:, 0, 0, 0], ())).values.shape == maps.values[:, 0, 0, 0].shape
            return
        place = maps.axes.index(plugin.axis)
        gone = maps.replace(maps.values.select(1 + place, 0), maps.axes[:place] + maps.axes[place + 1 :])
        with pytest.raises(CamForgeError, match=f"{plugin.name}.*no axis '{plugin.axis}'"):
            plugin(gone)


def _on(maps: Maps, device: str) -> Maps:
    moved: dict[str, Any] = {name: value.to(device) for name, value in vars(maps).items() if isinstance(value, Tensor)}
    return replace(maps, **moved)
