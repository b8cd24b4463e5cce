"""The user's own taxonomy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from torch import Tensor

from camforge.api import CamForgeError, Grouper, Grouping, GroupingContext

from .levels import hierarchy, named

Taxonomy = tuple[dict[str, tuple[str, ...]], ...]


class Given(Grouper):
    """Groups of classes by name, level by level.

    groups = [{"animals": ["cat", "dog", "cow"], "vehicles": ["bus", "car"]}] is one level above the classes. Every
    class stands exactly once in every level, and every group is made of whole groups of the level before.
    """

    name = "given"
    groups: Taxonomy | None = None
    """One mapping of group name to class names per level, fine to coarse; None: the taxonomy of the data set."""

    def check(self, classes: tuple[str, ...], labels: Tensor) -> list[str]:
        del labels
        return [] if self.groups is None else taxonomy_problems(self.groups, classes)

    def group(self, context: GroupingContext) -> Grouping:
        taxonomy = self._taxonomy(context)
        problems = taxonomy_problems(taxonomy, context.classes)
        if problems:
            raise CamForgeError(f"grouper 'given': {'; '.join(problems)}")
        index = {c: i for i, c in enumerate(context.classes)}
        levels = [[[index[c] for c in members] for members in level.values()] for level in taxonomy]
        source = "the data set" if self.groups is None else "the experiment"
        grouping = hierarchy(levels, context.classes, {"taxonomy of": source})
        return named(grouping, [list(level) for level in taxonomy], context.classes)

    def _taxonomy(self, context: GroupingContext) -> Sequence[Mapping[str, Sequence[str]]]:
        if self.groups is not None:
            return self.groups
        if not context.taxonomy:
            raise CamForgeError("grouper 'given': the data set has no taxonomy of its own; say 'groups'")
        return [context.taxonomy]


def taxonomy_problems(levels: Sequence[Mapping[str, Sequence[str]]], classes: tuple[str, ...]) -> list[str]:
    """Every mistake of a taxonomy, one line each."""
    if not levels:
        return ["groups: no level is given"]
    problems = [
        problem for k, level in enumerate(levels, 1) for problem in _level_problems(f"level {k}", level, classes)
    ]
    if problems:
        return problems
    below: Sequence[Sequence[str]] = [[c] for c in classes]
    for k, level in enumerate(levels, 1):
        problems += _nesting_problems(k, level, below)
        below = list(level.values())
    return problems


def _level_problems(place: str, level: Mapping[str, Sequence[str]], classes: tuple[str, ...]) -> list[str]:
    problems = [] if len(level) > 1 else [f"{place}: a level needs 2 groups or more, not {len(level)}"]
    owners: dict[str, list[str]] = {c: [] for c in classes}
    for group, members in level.items():
        if not members:
            problems.append(f"{place}: group {group!r} is empty")
        for member in members:
            if member in owners:
                owners[member].append(group)
            else:
                problems.append(f"{place}, group {group!r}: unknown class {member!r}{_nearest(member, classes)}")
    problems += [f"{place}: class {c!r} is in no group" for c, found in owners.items() if not found]
    problems += [f"{place}: class {c!r} is in {_listed(found)}" for c, found in owners.items() if len(found) > 1]
    return problems


def _nesting_problems(k: int, level: Mapping[str, Sequence[str]], below: Sequence[Sequence[str]]) -> list[str]:
    problems = []
    if len(level) >= len(below):
        what = "classes" if k == 1 else f"groups of level {k - 1}"
        problems.append(f"level {k}: {len(level)} groups of {len(below)} {what}; each level must have fewer")
    owner = {c: group for group, members in level.items() for c in members}
    for part in below:
        torn = list(dict.fromkeys(owner[c] for c in part))
        if len(torn) > 1:
            problems.append(f"level {k} tears {'+'.join(part)} of level {k - 1} apart: {_listed(torn)}")
    return problems


def _listed(groups: Sequence[str]) -> str:
    return " and ".join(repr(group) for group in groups)


def _nearest(name: str, classes: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, classes, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; the classes are {', '.join(classes)}"
