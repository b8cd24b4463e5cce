"""Pairs of classes, chosen by which classes the network mistakes for one another."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from camforge.api import CamForgeError, Grouper, Grouping, GroupingContext, Trainer, View

from .improved_kmeans import improved_kmeans
from .pairs import pairs, scarce_pairs
from .selection import at_random, by_cluster, by_rank, ranking, ranks_for
from .similarity import Form, false_positives, stratified, unmeasurable

Positive = Annotated[int, Field(ge=1)]


class FalsePositiveClusters(Grouper):
    """Two-class views of each class and its representatives (Meng et al., "Representative Class Selection").

    B_ij sums, over the images of class i, the probability that a softmax network gives class j (eq. 2). An improved
    K-means on B groups the classes; each class is then paired with one class of every cluster, or with classes at
    fixed ranks of B's row, or with classes at random. One view serves both directions of a pair.
    """

    name = "false_positive_clusters"
    select: Literal["s_k", "rank", "random"] = "s_k"
    """"s_k": the k-th most similar class of each cluster; "rank": those at ``positions``; "random": as many others as
    there are clusters, at random (the control, which needs no similarity)."""
    k: Positive = 1
    """With "s_k": 1 takes the most similar class of each cluster, 2 the second, and so on."""
    positions: tuple[Positive, ...] = (3, 9, 14, 17)
    """1-based ranks in the order of falling similarity. Rank-a is [3, 9, 14, 17], Rank-b [3, 8, 13, 18]."""
    positions_of: Annotated[int, Field(ge=3)] = 20
    """The number of classes that ``positions`` are said for; they are scaled to the data set's number."""
    exclude_own_cluster: bool = False
    """With "s_k": take no class of the cluster that the class itself lies in."""
    clusters: Annotated[int, Field(ge=2)] = 4
    """How many groups K-means makes; so many classes each class is paired with ("s_k", "random")."""
    min_size: Positive = 4
    """The fewest classes of a cluster. At clusters * min_size = classes no class can leave its random start."""
    restarts: Positive = 20
    """Beginnings that K-means tries; the best is kept."""
    similarity: Form = "sum"
    """"sum": eq. 2; "mean": divided by the class's number of images; "symmetric": the mean form plus its transpose."""
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = 0.2
    """The share of each class's single-label images that B is measured on and the network not trained on: on its own
    training images an over-fitted network makes no mistakes. None: measure on the training images."""
    min_images: Positive = 2
    """The fewest images of each class of a pair that do not show the other."""
    seed: Annotated[int, Field(ge=0)] | None = None
    """Of random starts and of random selection; None: the experiment's seed."""
    trainer: Trainer | None = None
    """Makes the softmax network behind B; None: the arm's trainer."""

    @model_validator(mode="after")
    def _positions_exist(self) -> Self:
        wrong = [position for position in self.positions if position >= self.positions_of]
        if wrong or not self.positions or len(set(self.positions)) < len(self.positions):
            raise ValueError(
                f"positions {list(self.positions)} must differ and lie in 1 … {self.positions_of - 1}, "
                f"the other classes of {self.positions_of}"
            )
        return self

    def check(self, classes: tuple[str, ...], labels: Tensor) -> list[str]:
        return [
            *self._too_many(len(classes)),
            *(unmeasurable(classes, labels, self.holdout is not None) if self.select != "random" else []),
            *scarce_pairs(classes, labels, self.min_images),
        ]

    def _too_many(self, classes: int) -> list[str]:
        if self.select == "random" and self.clusters > classes - 1:
            return [f"clusters: {self.clusters} random others of {classes - 1} that there are"]
        if self.select != "s_k":
            return []
        if self.clusters > classes:
            return [f"clusters: {self.clusters} clusters of {classes} classes, more clusters than classes"]
        if self.clusters * self.min_size > classes:
            return [f"min_size: {self.clusters} clusters of {self.min_size} or more need more than {classes} classes"]
        return []

    def group(self, context: GroupingContext) -> Grouping:
        problems = self.check(context.classes, context.labels)
        if problems:
            raise CamForgeError(f"grouper {self.name!r}: {'; '.join(problems)}")
        seed = context.seed if self.seed is None else self.seed
        if self.select == "random":
            chosen, diagnostics = at_random(len(context.classes), self.clusters, seed), {"selection": "random"}
        else:
            chosen, diagnostics = self._by_similarity(context, seed)
        return pairs(chosen, context.classes, diagnostics)

    def _by_similarity(self, context: GroupingContext, seed: int) -> tuple[list[list[int]], dict[str, Any]]:
        classes = context.classes
        similarity, diagnostics = self._measured(context)
        items = range(len(classes))
        diagnostics["ranks"] = {classes[i]: [classes[j] for j in ranking(similarity, i)] for i in items}
        if self.select == "rank":
            ranks = ranks_for(self.positions, self.positions_of, len(classes))
            return [by_rank(similarity, i, ranks) for i in items], diagnostics | {"selection": f"ranks {ranks}"}
        found = improved_kmeans(similarity, self.clusters, self.min_size, self.restarts, seed)
        groups = found.groups()
        diagnostics |= {
            "clusters": {f"cluster {g}": [classes[c] for c in members] for g, members in enumerate(groups, start=1)},
            "status": found.best.status,
            "endings of all restarts": found.endings,
            "average similarity within clusters": found.best.objective,
            "moves": "none possible" if self.clusters * self.min_size == len(classes) else len(found.best.moves),
            "selection": f"S-{self.k}" + (" without the own cluster" if self.exclude_own_cluster else ""),
        }
        return [by_cluster(similarity, i, groups, self.k, self.exclude_own_cluster) for i in items], diagnostics

    def _measured(self, context: GroupingContext) -> tuple[Tensor, dict[str, Any]]:
        """B (n, n) from single-label images, held out where there is a holdout, and how it was measured."""
        lone = context.labels.sum(1) == 1
        kept_out = None if self.holdout is None else stratified(context.labels, lone, self.holdout, context.seed)
        view = replace(View.identity(context.classes), exclusive=True)
        model = context.train(view, self.trainer, kept_out)
        images = (lone if kept_out is None else kept_out).nonzero().flatten()
        logits = context.logits(model, images).double()
        if not logits.isfinite().all():
            raise CamForgeError(f"grouper {self.name!r}: the similarity network's logits are not finite")
        owners = context.labels[images].int().argmax(1)
        similarity = false_positives(logits.softmax(1), owners, self.similarity)
        counts = owners.bincount(minlength=len(context.classes)).tolist()
        return similarity, {
            "similarity": similarity.tolist(),
            "similarity form": self.similarity,
            "measured on": "training images" if kept_out is None else "held-out images",
            "images measured": dict(zip(context.classes, counts, strict=True)),
        }
