"""Groups without meaning: the control of every grouping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from camforge.api import CamForgeError, Grouper, Grouping, GroupingContext

from .levels import Level, hierarchy, merged, shrinking, too_large


class RandomHierarchy(Grouper):
    """Nested groups with random members, the control that every meaningful grouping has to beat.

    Either ``sizes``: as many clusters per level, as even as they can be; or ``like``: the groups of another grouper,
    with the classes shuffled, which keeps the number of members of every group too.
    """

    name = "random_hierarchy"
    sizes: tuple[Annotated[int, Field(ge=2)], ...] | None = None
    """Clusters of each grouped level, falling; the ungrouped level is always there."""
    like: Grouper | None = None
    """A grouper of nested levels whose classes are shuffled."""
    seed: Annotated[int, Field(ge=0)] | None = None
    """None: the experiment's seed."""

    @field_validator("sizes")
    @classmethod
    def _shrinks(cls, sizes: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return None if sizes is None else shrinking(sizes)

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.sizes is None) == (self.like is None):
            raise ValueError("say either 'sizes' or 'like'")
        return self

    def check(self, classes: tuple[str, ...], labels: Tensor) -> list[str]:
        return self.like.check(classes, labels) if self.like else too_large(self.sizes or (), classes)

    def trainers(self) -> Mapping[str, Any]:
        return self.like.trainers() if self.like else {}

    def group(self, context: GroupingContext) -> Grouping:
        seed = context.seed if self.seed is None else self.seed
        generator = torch.Generator().manual_seed(seed)
        count = len(context.classes)
        if self.like is None:
            levels = random_levels(self.sizes or (), count, generator)
        else:
            levels = shuffled_levels(self.like.group(context), torch.randperm(count, generator=generator).tolist())
            if not levels:
                raise CamForgeError(f"like: grouper {self.like.name!r} made no grouped level to shuffle")
        return hierarchy(levels, context.classes, {"members": "random", "seed": seed})


def random_levels(sizes: tuple[int, ...], count: int, generator: torch.Generator) -> list[Level]:
    """Nested random partitions of ``count`` classes: each level deals the shuffled groups below out in turn."""
    levels: list[Level] = []
    for size in sizes:
        items = len(levels[-1]) if levels else count
        dealt = torch.randperm(items, generator=generator).remainder(size)
        levels.append(merged(levels[-1] if levels else None, dealt.tolist(), count))
    return levels


def shuffled_levels(grouping: Grouping, order: list[int]) -> list[Level]:
    """The groups of every grouped view with class c replaced by ``order[c]``."""
    return [
        sorted(sorted(order[c] for c in view.members(o)) for o in range(len(view.outputs)))
        for view in grouping.views
        if view.level > 0
    ]
