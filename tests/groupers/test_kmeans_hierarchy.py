"""K-means levels against exhaustive search, reference values and each degenerate case."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from camforge.api import CamForgeError
from camforge_plugins.groupers.kmeans_hierarchy import KMeansHierarchy, kmeans, member_means

X = torch.tensor(
    [[2.0, 0.1, 0.0], [1.8, 0.0, 0.2], [0.0, 2.0, 0.1], [0.2, 1.9, 0.0], [0.0, 0.1, 2.2], [1.0, 1.0, 1.0]],
    dtype=torch.float64,
)
CLASSES = ("a", "b", "c", "d", "e", "f")


def partition(labels):
    return {frozenset(i for i, own in enumerate(labels) if own == label) for label in set(labels)}


def squared_cost(rows, labels):
    """The objective from its definition: squared distances to the mean of each cluster."""
    cost = 0.0
    for members in partition(labels):
        own = rows[sorted(members)]
        cost += sum(float(((row - own.mean(0)) ** 2).sum()) for row in own)
    return cost


@pytest.mark.parametrize(
    ("size", "labels", "inertia"), [(3, [0, 0, 1, 1, 2, 2], 1.7), (2, [0, 0, 1, 1, 0, 0], 6.160000000000001)]
)
def test_reference_partitions(size: int, labels: list[int], inertia: float) -> None:
    found, cost = kmeans(X, size, 20, seed=0)
    assert partition(found) == partition(labels)
    assert cost == pytest.approx(inertia, abs=1e-9)
    assert squared_cost(X, labels) == pytest.approx(inertia, abs=1e-9)


def test_the_objective_is_the_squared_distance() -> None:
    rows = torch.tensor([[0.0], [6.0], [0.0], [2.0], [3.0]], dtype=torch.float64)
    found, cost = kmeans(rows, 2, 20, seed=0)
    assert partition(found) == partition([0, 1, 0, 0, 0])  # the plain distance would choose {0, 0}, {6, 2, 3}
    assert cost == pytest.approx(6.75)


@pytest.mark.parametrize("seed", range(3))
def test_best_of_all_partitions(seed: int) -> None:
    rows = torch.randn(7, 2, generator=torch.Generator().manual_seed(seed)).double()
    best = min(squared_cost(rows, labels) for labels in itertools.product(range(3), repeat=7) if len(set(labels)) == 3)
    assert kmeans(rows, 3, 20, seed)[1] == pytest.approx(best, rel=1e-9)


def test_member_means_weigh_classes_equally() -> None:
    expected = [
        [1.2666666666666666, 0.7000000000000001, 0.10000000000000002],
        [0.2, 1.9, 0.0],
        [0.0, 0.1, 2.2],
        [1] * 3,
    ]
    assert torch.allclose(member_means(X, [[0, 1, 2], [3], [4], [5]]), torch.tensor(expected, dtype=torch.float64))


def test_retrained_levels_cluster_the_rows_of_the_level_below(desk: Callable[..., Any]) -> None:
    # the network of level 1 says that {c, d} and {e, f} belong together, which the class rows do not
    rows = {6: X.float(), 3: torch.tensor([[5.0, 0.0], [0.0, 5.0], [0.1, 4.9]])}
    context = desk(CLASSES, rows)
    grouping = KMeansHierarchy(sizes=(3, 2)).group(context)
    assert [view.assignment for view in grouping.views[1:]] == [(0, 0, 1, 1, 2, 2), (0, 0, 1, 1, 1, 1)]
    assert [len(view.outputs) for view, _, _ in context.asked] == [6, 3]  # the last level's network is not needed
    assert grouping.diagnostics["retrained"] is True
    assert grouping.diagnostics["inertia"] == pytest.approx([1.7, 0.01], rel=1e-4)
    assert grouping.diagnostics["clusters"]["level 2"] == {"a+b": ["a", "b"], "c+d+e+f": ["c", "d", "e", "f"]}


def test_without_retraining_the_means_of_the_class_rows_are_clustered(desk: Callable[..., Any]) -> None:
    context = desk(CLASSES, {6: X.float()})
    grouping = KMeansHierarchy(sizes=(3, 2), retrain=False).group(context)
    means = torch.stack([X[:2].mean(0), X[2:4].mean(0), X[4:].mean(0)])
    merged = min(itertools.combinations(range(3), 2), key=lambda p: float(((means[p[0]] - means[p[1]]) ** 2).sum()))
    together = {grouping.views[2].assignment[2 * k] for k in merged}
    assert len(together) == 1
    assert len(context.asked) == 1
    assert "not retrained" in grouping.diagnostics["rows"]


def test_levels_nest(desk: Callable[..., Any]) -> None:
    rows = {n: torch.randn(n, 4, generator=torch.Generator().manual_seed(n)) for n in (12, 8, 5)}
    fine, middle, coarse = KMeansHierarchy(sizes=(8, 5, 2)).group(desk("abcdefghijkl", rows)).views[1:]
    for below, above in ((fine, middle), (middle, coarse)):
        for output in range(len(below.outputs)):
            assert len({above.assignment[c] for c in below.members(output)}) == 1
    assert [len(view.outputs) for view in (fine, middle, coarse)] == [8, 5, 2]


def test_row_norms_do_not_matter_once_normalised(desk: Callable[..., Any]) -> None:
    directions = torch.tensor([[1.0, 0.0], [1.0, 0.05], [0.0, 1.0], [0.05, 1.0]])
    rows = {4: directions * torch.tensor([[1.0], [9.0], [1.0], [9.0]])}
    raw = KMeansHierarchy(sizes=(2,)).group(desk("abcd", rows)).views[1].assignment
    normalised = KMeansHierarchy(sizes=(2,), normalize="l2").group(desk("abcd", rows)).views[1].assignment
    assert partition(normalised) == {frozenset({0, 1}), frozenset({2, 3})}
    assert partition(raw) != partition(normalised)


def test_impossible_numbers_of_clusters() -> None:
    with pytest.raises(CamForgeError, match="7 clusters of 6 items"):
        kmeans(X, 7, 20, 0)
    with pytest.raises(CamForgeError, match="3 clusters of 4 items of which only 2 are distinct"):
        kmeans(X[[0, 0, 1, 1]], 3, 20, 0)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((4, 4), "level sizes must shrink: 4 follows 4"),
        ((3, 5), "level sizes must shrink: 5 follows 3"),
        ((), "at least one level"),
        ((3, 1), "greater than or equal to 2"),
    ],
)
def test_sizes_that_do_not_shrink_are_refused_at_once(sizes: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        KMeansHierarchy(sizes=sizes)


def test_check_speaks_before_training() -> None:
    labels = torch.zeros(1, 6, dtype=torch.bool)
    assert KMeansHierarchy(sizes=(5, 2)).check(CLASSES, labels) == []
    (equal,) = KMeansHierarchy(sizes=(6, 3)).check(CLASSES, labels)
    assert equal.startswith("sizes [6, 3]: 6 clusters of 6 classes, nothing is grouped (sizes count the grouped levels")
    (more,) = KMeansHierarchy(sizes=(7,)).check(CLASSES, labels)
    assert "7 clusters of 6 classes, more clusters than classes" in more


def test_weights_that_are_no_numbers_are_an_error(desk: Callable[..., Any]) -> None:
    with pytest.raises(CamForgeError, match="network of view 'classes' has weights that are NaN"):
        KMeansHierarchy(sizes=(2,)).group(desk("abc", {3: torch.full((3, 2), torch.nan)}))
