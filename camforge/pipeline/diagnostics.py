"""What a reader of an arm's numbers must know: raw maps that say nothing, and how far a grouping is the known one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from camforge.maps import all_finite, all_zero
from camforge.store.stored_maps import StoredMaps, TensorRows
from camforge.types import Grouping, View

AT_ONCE = 4096  # maps: they lie on the disk, and only these come into memory
NAMED = 3


@dataclass(frozen=True)
class DegenerateMaps:
    """Of an arm's raw maps, one per image, output and branch: how many are empty, how many broken, and which."""

    maps: int
    empty: int
    broken: int
    examples: tuple[str, ...]
    """The first few by name."""

    def __str__(self) -> str:
        kinds = {"zero everywhere": self.empty, "not finite": self.broken}
        message = " and ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
        return f"{message} of {self.maps} raw maps, such as {'; '.join(self.examples)}"


def degenerate_maps(
    extracted: Sequence[StoredMaps], views: Sequence[View], ids: Sequence[str]
) -> DegenerateMaps | None:
    """Over all views, branches and layers of an arm; None where every map says something.

    ids   the name of each image, in the order of ``StoredMaps.asked``
    """
    count = empty = broken = 0
    named: dict[str, None] = {}
    for found, view in zip(extracted, views, strict=True):
        for start, zero, wrong in chain.from_iterable(map(_tested, found.maps)):
            count, empty, broken = count + len(zero), empty + int(zero.sum()), broken + int(wrong.sum())
            for row in (zero | wrong).nonzero().flatten().tolist() if len(named) < NAMED else ():
                image, output = found.pair(start + row)
                named[f"image {ids[image]!r}, {view.outputs[output]!r} of {view.name!r}"] = None
    return DegenerateMaps(count, empty, broken, tuple(named)[:NAMED]) if empty or broken else None


def _tested(layers: Sequence[TensorRows]) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Some maps of a branch at a time: the first row, and (q,) bool each, zero on every layer, not finite on any."""
    for start in range(0, len(layers[0]), AT_ONCE):
        some = [maps[start : start + AT_ONCE] for maps in layers]
        zero, finite = (torch.stack([test(maps) for maps in some]).all(0) for test in (all_zero, all_finite))
        yield start, zero, ~finite


def recovered(
    grouping: Grouping, taxonomy: Mapping[str, tuple[str, ...]] | None, classes: Sequence[str]
) -> dict[str, float]:
    """{"families_ari": the adjusted Rand index (Hubert & Arabie 1985) to the taxonomy}: 1 the same, 0 as by chance.

    Of a grouping's levels and clusters, that with the number of groups next to the taxonomy's; nothing where the data
    set knows no taxonomy, or nothing was grouped.
    """
    if not taxonomy:
        return {}
    partitions = list(_partitions(grouping, classes))
    if not partitions:
        return {}
    family = {name: label for label, members in taxonomy.items() for name in members}
    nearest = min(partitions, key=lambda groups: abs(len(set(groups)) - len(taxonomy)))
    return {"families_ari": float(adjusted_rand_score([family[name] for name in classes], nearest))}


def _partitions(grouping: Grouping, classes: Sequence[str]) -> Iterator[list[int]]:
    """Per class the index of its group: of every level, and of the clusters that the grouper tells of."""
    for view in grouping.views:
        if view.level > 0 and len(view.outputs) > 1:
            groups = [group for group in view.assignment if group is not None]
            if len(groups) == len(classes):
                yield groups
    clusters = grouping.diagnostics.get("clusters")
    if isinstance(clusters, Mapping) and all(isinstance(members, list) for members in clusters.values()):
        owner = {name: g for g, members in enumerate(clusters.values()) for name in members}
        if owner.keys() == set(classes):
            yield [owner[name] for name in classes]
