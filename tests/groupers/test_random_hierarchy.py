"""The control: the same sizes, other members, the same again from the same seed."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from camforge.api import CamForgeError
from camforge_plugins.groupers.given import Given
from camforge_plugins.groupers.none import NoGrouping
from camforge_plugins.groupers.random_hierarchy import RandomHierarchy

CLASSES = tuple("abcdefghijklmnopqrst")


def assignments(grouping):
    return [view.assignment for view in grouping.views[1:]]


def nests(below, above):
    return all(len({above[c] for c in range(len(below)) if below[c] == o}) == 1 for o in set(below))


def test_sizes_nest_and_are_even(desk: Callable[..., Any]) -> None:
    levels = assignments(RandomHierarchy(sizes=(12, 8, 5)).group(desk(CLASSES)))
    assert [len(set(level)) for level in levels] == [12, 8, 5]
    assert nests(levels[0], levels[1])
    assert nests(levels[1], levels[2])
    assert set(Counter(levels[0]).values()) == {1, 2}


def test_seeds(desk: Callable[..., Any]) -> None:
    def members(seed):
        return assignments(RandomHierarchy(sizes=(5,)).group(desk(CLASSES, seed=seed)))

    assert members(1) == members(1)
    assert members(1) != members(2)
    own = RandomHierarchy(sizes=(5,), seed=1)
    assert assignments(own.group(desk(CLASSES, seed=2))) == members(1)


def test_members_are_spread_over_all_groupings(desk: Callable[..., Any]) -> None:
    """Over many seeds each pair of 4 classes shares one of 2 groups of 2 in a third of the cases."""
    pairs = Counter()
    for seed in range(600):
        (level,) = assignments(RandomHierarchy(sizes=(2,), seed=seed).group(desk("abcd")))
        pairs.update((i, j) for i in range(4) for j in range(i) if level[i] == level[j])
    assert all(abs(count - 200) < 60 for count in pairs.values())
    assert len(pairs) == 6


def test_like_another_grouper_keeps_its_group_sizes(desk: Callable[..., Any]) -> None:
    sizes = {"x": "abc", "y": "d", "z": "efghijklmnopqrst"}
    model = Given(groups=[{name: list(members) for name, members in sizes.items()}])
    (level,) = assignments(RandomHierarchy(like=model).group(desk(CLASSES, seed=3)))
    assert sorted(Counter(level).values()) == [1, 3, 16]
    assert level != assignments(model.group(desk(CLASSES)))[0]


def test_like_keeps_the_levels_nested(desk: Callable[..., Any]) -> None:
    fine = {"x": ["a", "b"], "y": ["c"], "z": ["d", "e"]}
    coarse = {"xy": ["a", "b", "c"], "z": ["d", "e"]}
    below, above = assignments(RandomHierarchy(like=Given(groups=[fine, coarse])).group(desk("abcde", seed=5)))
    assert nests(below, above)


def test_like_needs_levels(desk: Callable[..., Any]) -> None:
    with pytest.raises(CamForgeError, match="like: grouper 'none' made no grouped level to shuffle"):
        RandomHierarchy(like=NoGrouping()).group(desk("abc"))


def test_options() -> None:
    with pytest.raises(ValidationError, match="say either 'sizes' or 'like'"):
        RandomHierarchy()
    with pytest.raises(ValidationError, match="level sizes must shrink"):
        RandomHierarchy(sizes=(3, 3))
    labels = torch.zeros(1, 3, dtype=torch.bool)
    assert "more clusters than classes" in RandomHierarchy(sizes=(4,)).check(("a", "b", "c"), labels)[0]
    wrong = RandomHierarchy(like=Given(groups=[{"x": ["a"], "y": ["b"]}]))
    assert wrong.check(("a", "b", "c"), labels)[0] == "level 1: class 'c' is in no group"
