"""Fusers against slow transcriptions, on stacks with missing views and further axes."""

import pytest
import torch

from camforge.api import CamForgeError, Fuser, Maps
from camforge_plugins.fusers.max import Max
from camforge_plugins.fusers.mean import Mean
from camforge_plugins.fusers.product_with_last import ProductWithLast
from camforge_plugins.fusers.sum import Sum


@pytest.fixture
def stack():
    """Three pairs, four views of which some are missing (NaN there), two branches."""
    values = torch.randn(3, 4, 2, 5, 6, dtype=torch.float64)
    valid = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1]], dtype=torch.bool)
    values[~valid] = torch.nan
    outputs = torch.where(valid, 0, -1)
    index = torch.arange(3)
    return Maps(values, ("view", "branch"), index, index, valid, outputs, torch.eye(3, dtype=torch.bool))


def slow(values, valid, how):
    """Element by element, over the views that exist."""
    out = torch.zeros(values.shape[0], *values.shape[2:], dtype=torch.float64)
    for place in torch.cartesian_prod(*map(torch.arange, out.shape)).tolist():
        pair, rest = place[0], place[1:]
        there = [values[(pair, v, *rest)].item() for v in range(values.shape[1]) if valid[pair, v]]
        out[tuple(place)] = {"sum": sum(there), "mean": sum(there) / len(there), "max": max(there)}[how]
    return out


@pytest.mark.parametrize(
    ("fuser", "how"),
    [(Sum(axis="view"), "sum"), (Mean(axis="view", normalise="none"), "mean"), (Max(axis="view"), "max")],
)
def test_only_views_that_exist_count(stack: Maps, fuser: Fuser, how: str) -> None:
    fused = fuser(stack)
    assert fused.axes == ("branch",)
    assert torch.allclose(fused.values, slow(stack.values, stack.valid, how), atol=1e-12)


def test_mean_of_branches_is_taken_of_normalised_maps(stack: Maps) -> None:
    fused = Mean(axis="branch")(stack)
    first, second = stack.values[0, 2].relu()
    assert fused.axes == ("view",)
    assert torch.allclose(fused.values[0, 2], (first / first.max() + second / second.max()) / 2)


def test_a_pair_without_any_view_gives_zero() -> None:
    nothing = torch.zeros(1, 2, dtype=torch.bool)
    stack = Maps(
        torch.full((1, 2, 3, 3), torch.nan), ("view",), torch.tensor([0]), torch.tensor([0]), nothing,
        torch.full((1, 2), -1), torch.ones(1, 1, dtype=torch.bool),
    )  # fmt: skip
    for fuser in (Sum(axis="view"), Mean(axis="view"), Max(axis="view")):
        assert torch.equal(fuser(stack).values, torch.zeros(1, 3, 3))


def test_product_with_last_counts_the_last_layer_twice() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [-4.0, 0.0]], [[3.0, 0.0], [1.0, 1.5]], [[0.0, 5.0], [10.0, -1.0]]]])
    index = torch.tensor([0])
    ones = torch.ones(1, 1, dtype=torch.bool)
    stack = Maps(maps, ("layer",), index, index, ones, index[None], ones)
    # rectified and divided by the maximum: [.5 1; 0 0], [1 0; 1/3 1/2], [0 .5; 1 0]
    expected = torch.tensor([[[0.0, 1.5 * 0.5], [(1 / 3 + 1) * 1.0, 0.0]]])
    assert torch.allclose(ProductWithLast()(stack).values, expected)
    raw = ProductWithLast(normalise="none")(stack).values
    assert raw[0, 1, 0].item() == (-4 + 1 + 10) * 10


def test_an_axis_that_is_gone_is_an_error(stack: Maps) -> None:
    with pytest.raises(CamForgeError, match=r"'sum': no axis 'layer' is left to fuse; left are \['view', 'branch'\]"):
        Sum(axis="layer")(stack)
