"""Which classes represent the rest for a class ("Representative Class Selection", sec. 3.1.1, 3.1.3, 4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import torch
from torch import Tensor


def ranking(similarity: Tensor, item: int) -> list[int]:
    """The other items by falling similarity to ``item``; ties by index."""
    order = similarity[item].double().argsort(descending=True, stable=True).tolist()
    return [other for other in order if other != item]


def ranks_for(positions: Sequence[int], said_for: int, classes: int) -> list[int]:
    """1-based positions said for ``said_for`` classes -> those for ``classes``: round(pos * (n - 1) / (said_for - 1)).

    Halves go up; what falls together counts once; all lie in 1 … n - 1.
    """
    scaled = (floor(position * (classes - 1) / (said_for - 1) + 0.5) for position in positions)
    return list(dict.fromkeys(min(max(rank, 1), classes - 1) for rank in scaled))


def by_rank(similarity: Tensor, item: int, ranks: Sequence[int]) -> list[int]:
    """The items at the 1-based ``ranks`` of the ranking."""
    order = ranking(similarity, item)
    return [order[rank - 1] for rank in ranks]


def by_cluster(
    similarity: Tensor, item: int, groups: Sequence[Sequence[int]], k: int, exclude_own: bool = False
) -> list[int]:
    """S-k: the k-th most similar item of each cluster, the last one where a cluster has fewer.

    The own cluster counts, without the item itself, unless excluded; a cluster that holds only the item is skipped.
    """
    order = ranking(similarity, item)
    chosen = []
    for group in groups:
        others = [other for other in order if other in group]
        if others and not (exclude_own and item in group):
            chosen.append(others[min(k, len(others)) - 1])
    return chosen


def at_random(items: int, count: int, seed: int) -> list[list[int]]:
    """Per item ``count`` distinct others."""
    generator = torch.Generator().manual_seed(seed)
    return [
        [other + (other >= item) for other in torch.randperm(items - 1, generator=generator)[:count].tolist()]
        for item in range(items)
    ]
