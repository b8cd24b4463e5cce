"""The fusion of levels, against reference values and a slow transcription with every option."""

import pytest
import torch

from camforge.api import Maps, max_normalise
from camforge_plugins.fusers.hierarchy import Hierarchy

M0 = [[1.0, 0.8], [0.2, 0.0]]
LEVELS = [[[0.5, 1.0], [0.4, 0.1]], [[0.2, 0.6], [1.0, 0.3]], [[0.0, 0.5], [0.5, 1.0]]]
REST = [[[0.0, 0.1], [0.9, 1.0]], [[0.4, 0.0], [0.2, 0.6]]]
EXPECTED = {
    "max": [[0.8333333333333334, 1.4], [-0.06666666666666676, -0.5333333333333334]],
    "mean": [[1.0333333333333334, 1.45], [0.2833333333333332, -0.3333333333333334]],
    "sum": [[0.8333333333333334, 1.4], [-0.26666666666666683, -1.1333333333333335]],
}
NO_REST = [[1.2333333333333334, 1.5], [0.8333333333333333, 0.4666666666666666]]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def scene(others=REST):
    """One image that shows class 0 and ``others``; the levels' maps of the others do not matter to class 0."""
    values = torch.rand(1 + len(others), 4, 2, 2, dtype=torch.float64)
    values[0] = tensor([M0, *LEVELS])
    for k, rest in enumerate(others):
        values[1 + k, 0] = tensor(rest)
    pairs = len(values)
    valid = torch.ones(pairs, 4, dtype=torch.bool)
    labels = torch.ones(1, pairs, dtype=torch.bool)
    return Maps(
        values, ("view",), torch.zeros(pairs, dtype=torch.int64), torch.arange(pairs), valid,
        torch.zeros(pairs, 4, dtype=torch.int64), labels,
    )  # fmt: skip


@pytest.mark.parametrize("reduce", ["max", "mean", "sum"])
def test_reference_values(reduce: str) -> None:
    fused = Hierarchy(reduce=reduce, normalise="none")(scene()).values[0]
    assert torch.allclose(fused, tensor(EXPECTED[reduce]), rtol=0, atol=1e-12)


def test_rest_is_zero_where_there_is_none_or_none_is_wanted() -> None:
    alone = Hierarchy(normalise="none")(scene(others=[])).values[0]
    unwanted = Hierarchy(rest="none", normalise="none")(scene()).values[0]
    assert torch.allclose(alone, tensor(NO_REST), rtol=0, atol=1e-12)
    assert torch.allclose(unwanted, tensor(NO_REST), rtol=0, atol=1e-12)


def test_rectified_and_normalised_result() -> None:
    fused = Hierarchy(normalise="none")(scene()).values
    expected = [[0.5952380952380953, 1.0], [0.0, 0.0]]
    assert torch.allclose(max_normalise(fused)[0], tensor(expected), rtol=0, atol=1e-12)


def test_one_level_only_is_the_ungrouped_map() -> None:
    full = scene()
    single = Maps(
        full.values[:, :1], ("view",), full.images, full.classes, full.valid[:, :1], full.outputs[:, :1], full.labels
    )
    assert torch.equal(Hierarchy(normalise="none")(single).values, full.values[:, 0])


@pytest.fixture
def crowd():
    """Two images, five classes, every class's maps; three grouped levels of which one leaves class 4 out."""
    images, classes = torch.arange(2).repeat_interleave(5), torch.arange(5).repeat(2)
    clusters = tensor([[0, 0, 0, 0], [1, 0, 0, 0], [2, 1, 0, 0], [3, 1, 1, 0], [4, 2, -1, 1]]).long()
    outputs = clusters[classes]
    labels = torch.tensor([[1, 1, 1, 0, 1], [0, 0, 1, 1, 0]], dtype=torch.bool)
    values = torch.rand(10, 4, 2, 3, 3, dtype=torch.float64)
    values[outputs == -1] = torch.nan
    return Maps(values, ("view", "branch"), images, classes, outputs >= 0, outputs, labels)


def slow_fusion(maps, rest, reduce):
    """Pair by pair, level by level, from the equation."""
    out = []
    for p in range(len(maps)):
        image, label = maps.images[p], maps.labels[maps.images[p]]
        gains = []
        for level in range(1, maps.values.shape[1]):
            if not maps.valid[p, level]:
                continue
            others = [q for q in range(len(maps)) if maps.images[q] == image and q != p]
            if rest in ("image", "same_cluster"):
                others = [q for q in others if label[maps.classes[q]]]
            if rest == "same_cluster":
                others = [q for q in others if maps.outputs[q, level] == maps.outputs[p, level]]
            minus = torch.zeros_like(maps.values[p, 0])
            if others and rest != "none":
                stack = torch.stack([maps.values[q, 0] for q in others])
                minus = {"max": stack.amax(0), "mean": stack.mean(0), "sum": stack.sum(0)}[reduce]
            gains.append(maps.values[p, level] - minus)
        out.append(maps.values[p, 0] + sum(gains) / len(gains))
    return torch.stack(out)


@pytest.mark.parametrize("rest", ["image", "same_cluster", "all_others", "none"])
@pytest.mark.parametrize("reduce", ["max", "mean", "sum"])
def test_every_option_against_the_equation(crowd: Maps, rest: str, reduce: str) -> None:
    fused = Hierarchy(rest=rest, reduce=reduce, normalise="none")(crowd)
    assert fused.axes == ("branch",)
    assert torch.allclose(fused.values, slow_fusion(crowd, rest, reduce), rtol=0, atol=1e-12)


def test_every_map_is_normalised_first_unless_told_otherwise() -> None:
    maps = scene()
    scaled = maps.replace(maps.values * 7, maps.axes)
    assert torch.allclose(Hierarchy()(scaled).values, Hierarchy()(maps).values)
    assert not torch.allclose(Hierarchy(normalise="none")(scaled).values, Hierarchy(normalise="none")(maps).values)


def test_only_all_others_needs_the_maps_of_absent_classes() -> None:
    needs = {rest: Hierarchy(rest=rest).targets for rest in ("image", "same_cluster", "all_others", "none")}
    assert needs == {"image": "present", "same_cluster": "present", "all_others": "all", "none": "present"}


def test_a_batch_without_pairs_stays_empty() -> None:
    maps = scene()
    empty = Maps(
        maps.values[:0],
        ("view",),
        maps.images[:0],
        maps.classes[:0],
        maps.valid[:0],
        maps.outputs[:0],
        maps.labels,
    )
    assert Hierarchy()(empty).values.shape == (0, 2, 2)
