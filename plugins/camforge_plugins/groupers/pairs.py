"""Two-class views."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from camforge.api import Grouping, View


def pairs(chosen: list[list[int]], classes: tuple[str, ...], diagnostics: dict[str, Any]) -> Grouping:
    """One two-class view per unordered pair; class i is served by its pairs with ``chosen[i]``, in that order."""
    wanted = sorted({(min(i, j), max(i, j)) for i, others in enumerate(chosen) for j in others})
    place = {pair: v for v, pair in enumerate(wanted)}
    views = tuple(pair_view(a, b, classes) for a, b in wanted)
    views_by_class = tuple(tuple(place[min(i, j), max(i, j)] for j in others) for i, others in enumerate(chosen))
    named = {classes[i]: [classes[j] for j in others] for i, others in enumerate(chosen)}
    return Grouping(views, {"representatives": named, "networks": len(views)} | diagnostics, views_by_class)


def pair_view(a: int, b: int, classes: tuple[str, ...]) -> View:
    """The problem "a or b?", on images that show exactly one of the two."""
    assignment = tuple({a: 0, b: 1}.get(c) for c in range(len(classes)))
    return View(f"{classes[a]} or {classes[b]}", (classes[a], classes[b]), assignment, level=1, exclusive=True)


def scarce_pairs(classes: tuple[str, ...], labels: Tensor, fewest: int) -> list[str]:
    """The pairs of which one class has too few images without the other: any pair may be chosen."""
    together = labels.T.double() @ labels.double()
    alone = together.diag()[:, None] - together
    short = [(i, j) for i, j in (alone < fewest).nonzero().tolist() if i != j]
    return [
        f"pair {classes[i]}/{classes[j]}: {int(alone[i, j])} images show {classes[i]} without {classes[j]}, "
        f"{fewest} needed (min_images)"
        for i, j in short
    ]
