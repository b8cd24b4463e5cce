"""How far a grouping agrees with the one that a data set knows of its classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sklearn.metrics import adjusted_rand_score

from camforge.types import Grouping


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
