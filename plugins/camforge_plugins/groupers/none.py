"""No grouping."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from camforge.api import Grouper, Grouping, GroupingContext, View


class NoGrouping(Grouper):
    """Every class its own output: the one ungrouped view."""

    name = "none"
    exclusive: bool = False
    """Train only on images with a single label, for softmax ("Representative Class Selection", sec. 4.3)."""

    def check(self, classes: tuple[str, ...], labels: Tensor) -> list[str]:
        lone = labels[labels.sum(1) == 1].any(0).tolist()
        missing = [name for name, found in zip(classes, lone, strict=True) if not found]
        return [f"exclusive: no image shows {name} alone" for name in missing] if self.exclusive else []

    def group(self, context: GroupingContext) -> Grouping:
        view = replace(View.identity(context.classes), exclusive=self.exclusive)
        return Grouping((view,), {"clusters": {}})
