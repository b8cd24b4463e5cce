"""No grouping."""

from __future__ import annotations

from camforge.api import Grouper, Grouping, View, Workshop


class NoGrouping(Grouper):
    """Every class its own output: the one ungrouped view."""

    name = "none"

    def group(self, workshop: Workshop) -> Grouping:
        return Grouping((View.identity(workshop.classes),), {"clusters": {}})
