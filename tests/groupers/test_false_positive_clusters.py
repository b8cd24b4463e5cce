"""Similarity, selections and views, against reference values and hand-made cases."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from camforge.api import CamForgeError
from camforge_plugins.groupers.false_positive_clusters import FalsePositiveClusters
from camforge_plugins.groupers.selection import at_random, by_cluster, by_rank, ranking, ranks_for
from camforge_plugins.groupers.similarity import false_positives, stratified

REFERENCE = json.loads((Path(__file__).parent / "group.json").read_text())
SELECT = REFERENCE["select"]
VOC = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]
PUBLISHED = [
    ["aeroplane", "bird", "cow", "sheep"],
    ["bicycle", "bus", "car", "motorbike"],
    ["boat", "bottle", "diningtable", "horse", "person", "pottedplant", "train"],
    ["cat", "chair", "dog", "sofa", "tvmonitor"],
]
GROUPS = [[VOC.index(name) for name in group] for group in PUBLISHED]


@pytest.fixture(scope="module")
def matrix():
    rows = [[5.0 if i == j else ((i * 7 + j * 13 + i * j) % 101) / 101 for j in range(20)] for i in range(20)]
    return torch.tensor(rows, dtype=torch.float64)


def names(items):
    return [VOC[item] for item in items]


def test_false_positives_reference() -> None:
    case = REFERENCE["B_fp"]
    probabilities, owners = torch.tensor(case["P"], dtype=torch.float64), torch.tensor(case["y"])
    total, mean = (torch.tensor(case[key], dtype=torch.float64) for key in ("B_sum_eq2", "B_mean"))
    assert torch.allclose(false_positives(probabilities, owners, "sum"), total, rtol=0, atol=1e-15)
    assert torch.allclose(false_positives(probabilities, owners, "mean"), mean, rtol=0, atol=1e-15)
    assert torch.allclose(false_positives(probabilities, owners, "symmetric"), (mean + mean.T) / 2, rtol=0, atol=1e-15)


def test_the_order_leaves_the_class_itself_out(matrix: Tensor) -> None:
    assert names(ranking(matrix, 0)) == SELECT["aeroplane_order"]
    assert ranking(torch.tensor([[9.0, 1.0, 2.0, 1.0]] * 4), 0) == [2, 1, 3]  # ties by index


@pytest.mark.parametrize(("positions", "key"), [((3, 9, 14, 17), "RankA"), ((3, 8, 13, 18), "RankB")])
def test_ranks_reference(matrix: Tensor, positions: tuple[int, ...], key: str) -> None:
    ranks = ranks_for(positions, 20, 20)
    assert ranks == list(positions)
    for name, expected in SELECT[key].items():
        assert names(by_rank(matrix, VOC.index(name), ranks)) == expected


def test_ranks_for_other_numbers_of_classes() -> None:
    assert ranks_for((3, 9, 14, 17), 20, 80) == [12, 37, 58, 71]  # round(pos * 79 / 19)
    assert ranks_for((3, 9, 14, 17), 20, 6) == [1, 2, 4]  # 0.8, 2.4, 3.7, 4.5 -> 14 and 17 fall together
    assert ranks_for((1,), 20, 3) == [1]
    assert ranks_for((1, 5), 6, 6) == [1, 5]


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_s_k_reference(matrix: Tensor, k: int) -> None:
    for name, expected in SELECT["S"][f"S-{k}"].items():
        assert names(by_cluster(matrix, VOC.index(name), GROUPS, k)) == expected


def test_s_k_degenerate_clusters(matrix: Tensor) -> None:
    groups = [[0], [1, 2], [3, 4, 5]]
    assert len(by_cluster(matrix, 0, groups, 1)) == 2  # a cluster of the class alone is skipped
    assert by_cluster(matrix, 1, groups, 4)[:2] == [0, 2]  # k is clamped to what is there
    assert 2 not in by_cluster(matrix, 1, groups, 1, exclude_own=True)
    assert by_cluster(matrix, 1, groups, 1)[1] == 2


def test_random_others_are_distinct_and_seeded() -> None:
    chosen = at_random(20, 4, seed=1)
    assert all(len(set(others)) == 4 and own not in others for own, others in enumerate(chosen))
    assert at_random(20, 4, seed=1) == chosen != at_random(20, 4, seed=2)
    counts = torch.tensor([other for seed in range(200) for others in at_random(5, 2, seed) for other in others])
    assert (counts.bincount() - 400).abs().max() < 80


def test_holdout_takes_its_share_of_every_class_and_leaves_some() -> None:
    labels = torch.eye(3, dtype=torch.bool).repeat_interleave(torch.tensor([10, 2, 5]), 0)
    labels = torch.cat([labels, torch.ones(4, 3, dtype=torch.bool)])
    held = stratified(labels, labels.sum(1) == 1, 0.2, seed=0)
    assert labels[held].sum(0).tolist() == [2, 1, 1]
    assert not held[-4:].any()  # several labels
    assert torch.equal(held, stratified(labels, labels.sum(1) == 1, 0.2, seed=0))
    assert not torch.equal(held, stratified(labels, labels.sum(1) == 1, 0.2, seed=1))


@pytest.fixture
def mistaken(desk):
    """Six classes of which {0, 3}, {1, 4} and {2, 5} are mistaken for one another; ten lone images each."""
    labels = torch.eye(6, dtype=torch.bool).repeat(10, 1)
    twin = torch.arange(6).add(3).remainder(6)
    logits = torch.zeros(60, 6)
    owners = labels.int().argmax(1)
    logits[torch.arange(60), owners] = 3.0
    logits[torch.arange(60), twin[owners]] = 2.0
    return lambda **changes: desk("abcdef", **({"labels": labels, "logits": logits} | changes))


def test_from_mistakes_to_views(mistaken: Callable[..., Any]) -> None:
    context = mistaken()
    grouping = FalsePositiveClusters(clusters=3, min_size=1).group(context)
    diagnostics = grouping.diagnostics
    assert sorted(diagnostics["clusters"].values()) == [["a", "d"], ["b", "e"], ["c", "f"]]
    assert diagnostics["status"] == "converged"
    assert diagnostics["images measured"] == dict.fromkeys("abcdef", 2)
    row = torch.tensor([3.0, 0, 0, 2.0, 0, 0], dtype=torch.float64).softmax(0) * 2
    assert diagnostics["similarity"][0] == pytest.approx(row.tolist())
    assert diagnostics["representatives"]["a"] == ["d", "b", "c"]  # its own cluster's other class, then ties by index
    pairs = [view.outputs for view in grouping.views]
    assert len(set(pairs)) == len(pairs)  # one network serves both directions
    assert [pairs[v] for v in grouping.views_by_class[0]] == [("a", "d"), ("a", "b"), ("a", "c")]
    assert ("d", "a") not in pairs
    assert pairs[grouping.views_by_class[3][0]] == ("a", "d")


def test_the_similarity_network_sees_single_label_images_that_are_not_held_out(mistaken: Callable[..., Any]) -> None:
    context = mistaken()
    FalsePositiveClusters(clusters=3, min_size=1).group(context)
    ((view, trainer, holdout),) = context.asked
    assert view.exclusive
    assert view.assignment == (0, 1, 2, 3, 4, 5)
    assert trainer is None
    assert context.labels[holdout].sum(0).tolist() == [2] * 6
    literal = mistaken()
    grouping = FalsePositiveClusters(clusters=3, min_size=1, holdout=None).group(literal)
    assert literal.asked[0][2] is None
    assert grouping.diagnostics["images measured"] == dict.fromkeys("abcdef", 10)


def test_pair_views_are_two_way_and_exclusive(mistaken: Callable[..., Any]) -> None:
    view = FalsePositiveClusters(clusters=3, min_size=1).group(mistaken()).views[0]
    assert view.assignment == (0, 1, None, None, None, None)
    shown = torch.tensor([[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 1, 1, 0, 0, 0]]).bool()
    assert view.usable(shown).tolist() == [True, False, False, True]


def test_ranks_need_no_clusters_and_random_needs_no_network(mistaken: Callable[..., Any]) -> None:
    by_ranks = FalsePositiveClusters(select="rank", positions=(1, 5), positions_of=6).group(mistaken())
    assert by_ranks.diagnostics["representatives"]["b"] == ["e", "f"]
    assert "clusters" not in by_ranks.diagnostics
    context = mistaken(seed=7)
    by_chance = FalsePositiveClusters(select="random", clusters=2).group(context)
    assert context.asked == []
    assert [len(views) for views in by_chance.views_by_class] == [2] * 6
    assert (
        by_chance.views_by_class
        != FalsePositiveClusters(select="random", clusters=2, seed=8).group(context).views_by_class
    )


def test_a_frozen_clustering_is_said_to_be_frozen(mistaken: Callable[..., Any]) -> None:
    assert FalsePositiveClusters(clusters=3, min_size=2).group(mistaken()).diagnostics["moves"] == "none possible"


def test_every_problem_is_said_before_training(mistaken: Callable[..., Any]) -> None:
    classes = tuple("abcdef")
    labels = torch.eye(6, dtype=torch.bool).repeat(4, 1)
    labels[:, 1] |= labels[:, 0]  # a is never seen without b
    labels = labels[[row for row in range(24) if row % 6 != 5 or row == 5]]  # f has one image
    problems = FalsePositiveClusters(clusters=7, min_size=1).check(classes, labels)
    assert problems == [
        "clusters: 7 clusters of 6 classes, more clusters than classes",
        "class 'a' has no images with a single label, 2 needed: one to train on and one held out",
        "class 'f' has 1 image with a single label, 2 needed: one to train on and one held out",
        "pair a/b: 0 images show a without b, 2 needed (min_images)",
        *(f"pair f/{c}: 1 images show f without {c}, 2 needed (min_images)" for c in "abcde"),
    ]
    literal = FalsePositiveClusters(clusters=2, min_size=4, holdout=None).check(classes, labels)
    assert literal[:2] == [
        "min_size: 2 clusters of 4 or more need more than 6 classes",
        "class 'a' has no images with a single label, 1 needed: similarity is undefined",
    ]
    (few,) = FalsePositiveClusters(select="random", clusters=6).check(classes, torch.eye(6).bool().repeat(2, 1))
    assert few == "clusters: 6 random others of 5 that there are"
    context = mistaken(labels=labels)
    with pytest.raises(CamForgeError, match="grouper 'false_positive_clusters': class 'a' has no images"):
        FalsePositiveClusters(clusters=2, min_size=1).group(context)
    assert context.asked == []


def test_options_that_cannot_be() -> None:
    with pytest.raises(ValidationError, match=r"positions \[3, 20\] must differ and lie in 1 … 19"):
        FalsePositiveClusters(select="rank", positions=(3, 20))
    with pytest.raises(ValidationError, match="must differ"):
        FalsePositiveClusters(positions=(3, 3))


def test_logits_that_are_no_numbers_are_an_error(mistaken: Callable[..., Any]) -> None:
    with pytest.raises(CamForgeError, match="logits are not finite"):
        FalsePositiveClusters(clusters=3, min_size=1).group(mistaken(logits=torch.full((60, 6), torch.nan)))
