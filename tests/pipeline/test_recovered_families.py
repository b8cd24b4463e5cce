"""Agreement of groupings with a data set's own."""

import itertools

import pytest

from camforge.pipeline.diagnostics import recovered
from camforge.types import Grouping, View

CLASSES = ("cat", "dog", "car", "bus", "rose", "oak")
TAXONOMY = {"animals": ("cat", "dog"), "vehicles": ("car", "bus"), "plants": ("rose", "oak")}
FAMILY = [0, 0, 1, 1, 2, 2]


def grouping(*levels: list[list[int]]) -> Grouping:
    views = [View.identity(CLASSES)]
    views += [View.of_groups(f"level {k}", groups, CLASSES, k) for k, groups in enumerate(levels, start=1)]
    return Grouping(tuple(views), {})


def pair_counts(groups: list[int]) -> float:
    """The index from its definition over pairs of classes (Hubert & Arabie 1985, eq. 5)."""
    pairs = list(itertools.combinations(range(len(groups)), 2))
    both = sum(groups[i] == groups[j] and FAMILY[i] == FAMILY[j] for i, j in pairs)
    ours, theirs = sum(groups[i] == groups[j] for i, j in pairs), sum(FAMILY[i] == FAMILY[j] for i, j in pairs)
    expected = ours * theirs / len(pairs)
    return (both - expected) / ((ours + theirs) / 2 - expected)


@pytest.mark.parametrize("groups", [[[0, 1], [2, 3], [4, 5]], [[0, 2], [1, 3], [4, 5]], [[0, 1, 2], [3, 4], [5]]])
def test_against_the_definition(groups: list[list[int]]) -> None:
    owner = [next(g for g, members in enumerate(groups) if c in members) for c in range(6)]
    found = recovered(grouping([[0, 1, 2, 3], [4, 5]], groups), TAXONOMY, CLASSES)
    assert found["families_ari"] == pytest.approx(pair_counts(owner))


def test_clusters_of_a_grouper_that_makes_pairs() -> None:
    diagnostics = {"clusters": {"cluster 1": ["cat", "dog"], "cluster 2": ["bus", "car"], "cluster 3": ["oak", "rose"]}}
    pair = View("cat|dog", ("cat", "dog"), (0, 1, None, None, None, None), level=1)
    assert recovered(Grouping((pair,), diagnostics), TAXONOMY, CLASSES) == {"families_ari": 1.0}


def test_nothing_to_compare() -> None:
    assert recovered(grouping(), TAXONOMY, CLASSES) == {}
    assert recovered(grouping([[0, 1], [2, 3], [4, 5]]), None, CLASSES) == {}
