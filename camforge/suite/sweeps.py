"""Arms that differ in one number make a curve: found, not declared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product, takewhile
from typing import Any

from camforge.report.data import ArmReport
from camforge.report.suite import Sweep

LEAST = 3  # points that make a curve
Leaf = tuple[str, ...]


def sweeps(arms: Sequence[ArmReport]) -> tuple[Sweep, ...]:
    """Curves of the metrics, and one figure per option that at least three arms differ in, and in nothing else."""
    titles = dict.fromkeys(title for arm in arms for title in arm.plots)
    drawn = [Sweep(title, {arm.name: arm.plots[title] for arm in arms if title in arm.plots}) for title in titles]
    return (*drawn, *_over_options(arms))


def _over_options(arms: Sequence[ArmReport]) -> tuple[Sweep, ...]:
    """The first metric, of every split that it is measured on, over each of those options."""
    raced = [arm for arm in arms if not arm.control and arm.metrics]
    leaves = {arm.name: dict(_leaves(arm.spec, ())) for arm in raced}
    options = dict.fromkeys(path for flat in leaves.values() for path, value in flat.items() if _is_number(value))
    first = next(iter(raced[0].metrics)) if raced else ""
    splits = [name for name in (raced[0].metrics if raced else ()) if name.partition("@")[0] == first]
    found = []
    for option, metric in product(options, splits):
        series = _series(option, metric, raced, leaves)
        if series:
            found.append(Sweep(f"{metric} over {'.'.join(option)}", series))
    return tuple(found)


def _series(
    option: Leaf, metric: str, arms: Sequence[ArmReport], leaves: Mapping[str, Mapping[Leaf, Any]]
) -> dict[str, list[tuple[float, float]]]:
    alike: dict[str, list[ArmReport]] = {}
    for arm in arms:
        flat = leaves[arm.name]
        if _is_number(flat.get(option)):
            others = sorted((path, value) for path, value in flat.items() if path != option)
            alike.setdefault(json.dumps(others), []).append(arm)
    return {
        _name(group): sorted((float(leaves[a.name][option]), a.metrics[metric]) for a in group)
        for group in alike.values()
        if len({leaves[a.name][option] for a in group}) >= LEAST
    }


def _name(group: Sequence[ArmReport]) -> str:
    """What the arms' names begin with alike, up to a comma: "Grad-CAM, delta 20" is of Grad-CAM."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*(arm.name for arm in group), strict=False))
    common = "".join(letters[0] for letters in alike).rpartition(",")[0]
    return common or ", ".join(sorted({str(arm.spec["extractor"]["name"]) for arm in group}))


def _leaves(value: Any, path: Leaf) -> Iterator[tuple[Leaf, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(place)))
    else:
        yield path, value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
