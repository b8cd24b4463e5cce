"""K-means on a similarity matrix instead of points ("Representative Class Selection", sec. 3.1.3)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import one_hot

MAX_SWEEPS = 100
BETTER = 1e-12  # a move must gain more than this: ties stay


@dataclass(frozen=True)
class Move:
    """One class that changed its cluster; ``scores`` are its average similarities to every cluster."""

    sweep: int
    item: int
    source: int
    target: int
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Run:
    """One run from one start. ``assignment`` is the best state at the end of a sweep, start included, not the last."""

    assignment: tuple[int, ...]
    objective: float
    status: Literal["converged", "cycle", "max_sweeps"]
    last: tuple[int, ...]
    sweeps: int
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class Clustering:
    """The best of several runs and how all of them ended."""

    best: Run
    endings: dict[str, int] = field(default_factory=dict)

    def groups(self) -> list[list[int]]:
        """The members of each cluster, clusters in the order of their smallest member."""
        members: dict[int, list[int]] = {}
        for item, cluster in enumerate(self.best.assignment):
            members.setdefault(cluster, []).append(item)
        return sorted(members.values())


def improved_kmeans(similarity: Tensor, clusters: int, min_size: int, restarts: int, seed: int) -> Clustering:
    """Similarity (n, n), row i serving item i -> the visited state with the best objective over all restarts."""
    generator = torch.Generator().manual_seed(seed)
    runs = []
    for _ in range(restarts):
        start = torch.randperm(len(similarity), generator=generator).remainder(clusters)  # balanced
        runs.append(run_from(start.tolist(), similarity, clusters, min_size))
    best = max(runs, key=lambda run: run.objective)
    return Clustering(best, dict(Counter(run.status for run in runs)))


def run_from(start: list[int], similarity: Tensor, clusters: int, min_size: int) -> Run:
    """Sweep after sweep until nothing moves, a state returns, or MAX_SWEEPS have passed."""
    similarity = similarity.double()
    state = list(start)
    visited = {tuple(state): objective(similarity, state, clusters)}
    moves: list[Move] = []
    status: Literal["converged", "cycle", "max_sweeps"] = "max_sweeps"
    for number in range(1, MAX_SWEEPS + 1):
        made = _sweep(state, similarity, clusters, min_size, number)
        moves += made
        if not made or tuple(state) in visited:
            status = "cycle" if made else "converged"
            break
        visited[tuple(state)] = objective(similarity, state, clusters)
    best = max(visited, key=lambda seen: visited[seen])
    return Run(best, visited[best], status, tuple(state), number, tuple(moves))


def _sweep(state: list[int], similarity: Tensor, clusters: int, min_size: int, number: int) -> list[Move]:
    """Every item in order moves to its most similar cluster, seeing the moves before it; ``state`` is changed."""
    moves = []
    for item, own in enumerate(state):
        scores = averages(similarity, state, clusters)[item].tolist()
        best = max(range(clusters), key=lambda j: scores[j])  # the lowest cluster among equals
        if scores[best] > scores[own] + BETTER and state.count(own) > min_size:
            state[item] = best
            moves.append(Move(number, item, own, best, tuple(scores)))
    return moves


def averages(similarity: Tensor, state: list[int], clusters: int) -> Tensor:
    """(n, n) -> (n, clusters): each item's average similarity to the others of a cluster, -inf where there are none."""
    members = one_hot(torch.tensor(state), clusters).to(similarity)
    others = similarity - torch.diag(similarity.diag())
    counts = members.sum(0) - members  # an item is not its own company
    return torch.where(counts > 0, others @ members / counts.clamp(min=1), -torch.inf)


def objective(similarity: Tensor, state: list[int], clusters: int) -> float:
    """J: the mean over items of the average similarity to the others of their own cluster, 0 for a lone item."""
    own = averages(similarity.double(), state, clusters).gather(1, torch.tensor(state)[:, None])
    return float(torch.where(own.isinf(), 0, own).mean())
