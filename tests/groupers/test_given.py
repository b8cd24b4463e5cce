"""The user's taxonomy: taken as said, or refused with every mistake named."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from camforge.api import CamForgeError
from camforge_plugins.groupers.given import Given
from camforge_plugins.groupers.none import NoGrouping

CLASSES = ("cat", "dog", "cow", "bus", "car")
TWO_LEVELS = [
    {"pets": ["cat", "dog"], "farm": ["cow"], "road": ["bus", "car"]},
    {"things": ["bus", "car"], "animals": ["dog", "cow", "cat"]},
]


def test_none_is_the_ungrouped_view(desk: Callable[..., Any]) -> None:
    grouping = NoGrouping().group(desk(CLASSES))
    assert [(v.outputs, v.assignment, v.level) for v in grouping.views] == [(CLASSES, (0, 1, 2, 3, 4), 0)]


def test_none_can_leave_images_with_several_labels_out(desk: Callable[..., Any]) -> None:
    labels = torch.tensor([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]], dtype=torch.bool)
    (view,) = NoGrouping(exclusive=True).group(desk(CLASSES)).views
    assert view.usable(labels).tolist() == [True, False]
    assert NoGrouping().group(desk(CLASSES)).views[0].usable(labels).tolist() == [True, True]
    assert NoGrouping(exclusive=True).check(CLASSES, labels)[0] == "exclusive: no image shows dog alone"
    assert NoGrouping().check(CLASSES, labels) == []


def test_levels_keep_their_names_and_order(desk: Callable[..., Any]) -> None:
    grouping = Given(groups=TWO_LEVELS).group(desk(CLASSES))
    ungrouped, fine, coarse = grouping.views
    assert ungrouped.assignment == (0, 1, 2, 3, 4)
    assert (fine.outputs, fine.assignment, fine.level) == (("pets", "farm", "road"), (0, 0, 1, 2, 2), 1)
    assert (coarse.outputs, coarse.assignment, coarse.level) == (("things", "animals"), (1, 1, 1, 0, 0), 2)
    assert grouping.diagnostics["clusters"]["level 2"] == {"things": ["bus", "car"], "animals": ["cat", "dog", "cow"]}


def test_the_taxonomy_of_the_data_set_is_the_default(desk: Callable[..., Any]) -> None:
    taxonomy = {"animals": ("cat", "dog", "cow"), "vehicles": ("bus", "car")}
    grouping = Given().group(desk(CLASSES, taxonomy=taxonomy))
    assert grouping.views[1].outputs == ("animals", "vehicles")
    assert grouping.views[1].assignment == (0, 0, 0, 1, 1)
    with pytest.raises(CamForgeError, match="the data set has no taxonomy of its own; say 'groups'"):
        Given().group(desk(CLASSES))


@pytest.mark.parametrize(
    ("groups", "messages"),
    [
        (
            [{"a": ["cat", "dgo", "cow"], "b": ["bus", "cat"]}],
            [
                "level 1, group 'a': unknown class 'dgo'; did you mean 'dog'?",
                "level 1: class 'dog' is in no group",
                "level 1: class 'car' is in no group",
                "level 1: class 'cat' is in 'a' and 'b'",
            ],
        ),
        ([{"all": list(CLASSES)}], ["level 1: a level needs 2 groups or more, not 1"]),
        (
            [{"a": ["cat", "dog", "cow"], "b": ["bus", "car"], "c": []}],
            ["level 1: group 'c' is empty"],
        ),
        (
            [TWO_LEVELS[0], {"x": ["cat", "cow"], "y": ["dog", "bus", "car"]}],
            ["level 2 tears cat+dog of level 1 apart: 'x' and 'y'"],
        ),
        ([TWO_LEVELS[0], TWO_LEVELS[0]], ["level 2: 3 groups of 3 groups of level 1; each level must have fewer"]),
        ([{c: [c] for c in CLASSES}], ["level 1: 5 groups of 5 classes; each level must have fewer"]),
        ([], ["groups: no level is given"]),
        (
            [{"a": ["zebra", *CLASSES[:2]], "b": CLASSES[2:]}],
            ["level 1, group 'a': unknown class 'zebra'; the classes are cat, dog, cow, bus, car"],
        ),
    ],
)
def test_every_mistake_is_named_before_training(
    desk: Callable[..., Any], groups: list[dict[str, list[str]]], messages: list[str]
) -> None:
    grouper = Given(groups=groups)
    assert grouper.check(CLASSES, torch.zeros(1, 5, dtype=torch.bool)) == messages
    with pytest.raises(CamForgeError) as error:
        grouper.group(desk(CLASSES))
    assert all(message in str(error.value) for message in messages)
