"""What a reader of an arm's numbers must know: raw maps that say nothing, and how far a grouping is the known one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from camforge.maps import all_finite, all_zero
from camforge.store.stored_maps import StoredMaps
from camforge.types import Grouping, View

AT_ONCE = 4096  # maps: they lie on the disk, and only these come into memory


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

    ids   the name of each image, a row of ``StoredMaps.rows`` each
    """
    count = empty = broken = 0
    named: list[str] = []
    for found, view in zip(extracted, views, strict=True):
        images, outputs = (found.rows >= 0).nonzero(as_tuple=True)
        for layers in found.maps:
            zero = _all(layers, all_zero)
            wrong = ~_all(layers, all_finite)
            count, empty, broken = count + len(zero), empty + int(zero.sum()), broken + int(wrong.sum())
            for pair in (zero | wrong).nonzero().flatten().tolist()[:3]:
                output = view.outputs[int(outputs[pair])]
                named.append(f"image {ids[int(images[pair])]!r}, {output!r} of {view.name!r}")
    return DegenerateMaps(count, empty, broken, tuple(dict.fromkeys(named))[:3]) if empty or broken else None


def _all(layers: Sequence[Tensor], test: Callable[[Tensor], Tensor]) -> Tensor:
    """(Q,) bool: the maps for which the test holds on every layer, looked at some at a time."""
    tested = [torch.cat([test(some) for some in maps.split(AT_ONCE)]) for maps in layers]
    return torch.stack(tested).all(0)


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
