"""Levels of nested class groups: the shape that every hierarchy shares. A group is a list of class indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from camforge.api import Grouping, View

Level = list[list[int]]


def hierarchy(levels: Sequence[Level], classes: tuple[str, ...], diagnostics: dict[str, object]) -> Grouping:
    """The ungrouped view, then one per level; the diagnostics gain "clusters", {level: {output: class names}}."""
    views = [View.identity(classes)]
    views += [View.of_groups(f"level {k}", groups, classes, k) for k, groups in enumerate(levels, start=1)]
    return Grouping(tuple(views), {"clusters": readable(views, classes)} | diagnostics)


def named(grouping: Grouping, names: Sequence[Sequence[str]], classes: tuple[str, ...]) -> Grouping:
    """The same grouping, the outputs of its levels called ``names`` instead of "cat+dog"."""
    ungrouped, *levels = grouping.views
    views = [ungrouped, *(replace(view, outputs=tuple(own)) for view, own in zip(levels, names, strict=True))]
    return replace(
        grouping, views=tuple(views), diagnostics={**grouping.diagnostics, "clusters": readable(views, classes)}
    )


def readable(views: Sequence[View], classes: tuple[str, ...]) -> dict[str, dict[str, list[str]]]:
    """{level: {output: class names}} of the grouped views."""
    return {
        view.name: {output: [classes[c] for c in view.members(o)] for o, output in enumerate(view.outputs)}
        for view in views
        if view.level > 0
    }


def merged(level: Level | None, labels: Sequence[int], items: int) -> Level:
    """The next level: item i of ``level`` (a class where there is none) goes to group ``labels[i]``.

    Groups come in the order of their smallest class, so that equal partitions are equal lists.
    """
    parts = level if level is not None else [[c] for c in range(items)]
    groups: dict[int, list[int]] = {}
    for part, label in zip(parts, labels, strict=True):
        groups.setdefault(int(label), []).extend(part)
    return sorted(sorted(members) for members in groups.values())


def shrinking(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes, or ValueError where they do not fall to 2 or more."""
    if not sizes:
        raise ValueError("at least one level is needed; for none use the grouper 'none'")
    for above, size in pairwise(sizes):
        if size >= above:
            raise ValueError(f"level sizes must shrink: {size} follows {above} in {list(sizes)}")
    if sizes[-1] < 2:
        raise ValueError(f"a level needs 2 clusters or more, not {sizes[-1]}: one output tells nothing apart")
    return sizes


def too_large(sizes: tuple[int, ...], classes: tuple[str, ...]) -> list[str]:
    """What is wrong with the first size, given the classes."""
    if sizes[0] < len(classes):
        return []
    excess = "more clusters than classes" if sizes[0] > len(classes) else "nothing is grouped"
    hint = "sizes count the grouped levels only, the ungrouped one is always there"
    return [f"sizes {list(sizes)}: {sizes[0]} clusters of {len(classes)} classes, {excess} ({hint})"]
