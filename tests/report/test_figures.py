"""The geometry of the figures."""

import math

import pytest

from camforge.report.data import ArmReport, TrainingCurve, ViewReport
from camforge.report.figures import bars, charts, line_chart, ticks, tree


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.03, 0.9], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ([95.0, 99.0], [95.0, 96.0, 97.0, 98.0, 99.0]),
        ([-3.0, 2.0], [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0]),
        ([5e-5, 1e-4], [5e-5, 6e-5, 7e-5, 8e-5, 9e-5, 1e-4]),
    ],
)
def test_ticks_are_round_and_enclose(values: list[float], expected: list[float]) -> None:
    assert ticks(values) == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.0, 1.0, -7.0, 3e-15])
def test_ticks_of_one_value_still_span(value: float) -> None:
    found = ticks([value, value])
    assert found[0] <= value <= found[-1]
    assert found[0] < found[-1]


def test_a_curve_is_drawn_to_scale_and_skips_what_is_no_number() -> None:
    chart = line_chart("loss", {"a": [(0, 1.0), (1, math.nan), (2, 0.5), (4, 0.0)]})
    (line,) = chart.lines
    x, y = [p[0] for p in line.points], [p[1] for p in line.points]
    assert len(x) == 3
    assert (x[1] - x[0]) / (x[2] - x[0]) == pytest.approx(2 / 4)
    assert (y[1] - y[0]) / (y[2] - y[0]) == pytest.approx(0.5)
    assert next(place for place, text in chart.up if text == "0") == pytest.approx(y[2])
    assert line.points[1][2] == "a, 2: 0.5"


def test_losses_come_first_and_the_learning_rate_last() -> None:
    epoch = {"epoch": 1, "lr": 1e-4, "accuracy": 0.5, "loss_b": 1.0, "loss": 2.0}
    assert [c.title for c in charts([TrainingCurve("n", (epoch,))])] == ["loss", "loss_b", "accuracy", "lr"]
    assert charts([TrainingCurve("n", ())]) == []


@pytest.mark.parametrize(("last", "expected"), [(1, ["1"]), (2, ["1", "2"]), (5, ["1", "2", "3", "4", "5"])])
def test_epochs_are_counted_in_whole_numbers(last: int, expected: list[str]) -> None:
    curve = TrainingCurve("n", tuple({"epoch": e, "loss": 1 / e} for e in range(1, last + 1)))
    assert [text for _, text in charts([curve])[0].across] == expected


def test_tree_joins_groups_that_share_a_class() -> None:
    classes = ("ape", "bee", "cat", "dog")
    views = (
        ViewReport("classes", tuple((c,) for c in classes)),
        ViewReport("fine", (("ape", "cat"), ("bee",), ("dog",)), 1),
        ViewReport("coarse", (("bee",), ("ape", "cat", "dog")), 2),
    )
    drawn = tree(views, classes)
    assert drawn is not None
    assert drawn.order == ("bee", "ape", "cat", "dog")
    joined = {(a.members, b.members) for a, b in drawn.edges}
    assert joined == {
        (("bee",), ("bee",)),
        (("ape", "cat", "dog"), ("ape", "cat")),
        (("ape", "cat", "dog"), ("dog",)),
        (("ape", "cat"), ("ape",)),
        (("ape", "cat"), ("cat",)),
        (("dog",), ("dog",)),
    }
    middle = {node.members: node.y for node in drawn.nodes if node.x == drawn.nodes[2].x}
    leaves = {node.members[0]: node.y for node in drawn.nodes[-4:]}
    assert middle["ape", "cat"] == pytest.approx((leaves["ape"] + leaves["cat"]) / 2)


def test_pairs_of_classes_are_no_tree() -> None:
    pairs = (ViewReport("a-b", (("a",), ("b",)), 1), ViewReport("a-c", (("a",), ("c",)), 1))
    assert tree(pairs, ("a", "b", "c")) is None
    assert tree((ViewReport("classes", (("a",), ("b",))),), ("a", "b")) is None


def test_bars_share_one_scale_and_leave_out_arms_without_numbers() -> None:
    arms = [
        ArmReport("x", {"m/a": 20.0, "m/b": 45.0}),
        ArmReport("none", {"m": 1.0}),
        ArmReport("y", {"m/a": math.nan}),
    ]
    shown, values = bars(arms, "m", ("a", "b"))
    assert [arm.name for arm in shown] == ["x", "y"]
    assert [(bar.width, bar.text) for bar in values["a"]] == [(40.0, "20.00"), (0.0, "–")]
    assert [(bar.width, bar.text) for bar in values["b"]] == [(90.0, "45.00"), (0.0, "–")]
