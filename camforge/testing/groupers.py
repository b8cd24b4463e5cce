"""What is expected of a grouper."""

from __future__ import annotations

import json

import torch

from camforge.interfaces import Grouper
from camforge.testing.base import PluginContract
from camforge.testing.examples import ExampleGroupingContext
from camforge.types import Grouping


class GrouperContract(PluginContract):
    """A grouper makes views of the context's eight classes (two known families of four)."""

    def grouping(self, plugin: Grouper) -> Grouping:
        return plugin.group(ExampleGroupingContext())

    def test_it_can_work_with_the_example(self, plugin: Grouper) -> None:
        context = ExampleGroupingContext()
        assert plugin.check(context.classes, context.labels) == []

    def test_every_view_is_a_problem_of_the_classes(self, plugin: Grouper) -> None:
        grouping = self.grouping(plugin)
        assert grouping.views
        for view in grouping.views:
            assert len(view.assignment) == len(ExampleGroupingContext().classes)
            assert {o for o in view.assignment if o is not None} == set(range(len(view.outputs))), (
                "an output without a class"
            )
            assert len(view.outputs) >= 1
            assert len(set(view.outputs)) == len(view.outputs)

    def test_the_ungrouped_view_comes_first_where_there_is_one(self, plugin: Grouper) -> None:
        levels = [view.level for view in self.grouping(plugin).views]
        assert 0 not in levels[1:] or all(level == 0 for level in levels)

    def test_every_class_is_served(self, plugin: Grouper) -> None:
        grouping = self.grouping(plugin)
        for c in range(len(ExampleGroupingContext().classes)):
            served = grouping.views_of(c)
            assert served, f"no view speaks for class {c}"
            assert all(grouping.views[v].assignment[c] is not None for v in served)

    def test_views_can_be_trained(self, plugin: Grouper) -> None:
        labels = ExampleGroupingContext().labels
        for view in self.grouping(plugin).views:
            usable = view.usable(labels)
            assert view.targets(labels)[usable].any(0).all(), f"an output of {view.name!r} has no image"

    def test_diagnostics_are_plain_values(self, plugin: Grouper) -> None:
        json.dumps(dict(self.grouping(plugin).diagnostics), allow_nan=False)  # raises for all that JSON does not know

    def test_it_repeats(self, plugin: Grouper) -> None:
        first = self.grouping(plugin)
        torch.manual_seed(99)
        again = self.grouping(plugin)
        assert (again.views, again.views_by_class) == (first.views, first.views_by_class)
        assert json.dumps(dict(again.diagnostics)) == json.dumps(dict(first.diagnostics))
