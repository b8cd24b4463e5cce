"""K-means on the rows of the classifier, each level on the groups of the one before."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

from camforge.api import CamForgeError, Grouper, Grouping, GroupingContext, TrainedModel, Trainer, View

from .levels import Level, hierarchy, merged, shrinking, too_large


class KMeansHierarchy(Grouper):
    """K-means on the last linear layer's rows, repeated on the network of each level (Huang et al. 2019, sec. II-B).

    Class feature x_i is row i of the last linear layer's weight; a level's clusters are the classes of the network
    whose rows are clustered next, so the levels nest. The objective is the squared distance, whose centre is the mean.
    """

    name = "kmeans_hierarchy"
    sizes: tuple[Annotated[int, Field(ge=2)], ...]
    """Clusters of each grouped level, falling; the ungrouped level is always there. VOC in the papers: [12, 8, 5]."""
    retrain: bool = True
    """Train a network on each level and cluster its rows; False: use the mean of the rows of a cluster's classes."""
    normalize: Literal["l2"] | None = None
    """"l2": every row that is clustered is divided by its norm."""
    restarts: Annotated[int, Field(ge=20)] = 20
    """Beginnings that K-means tries; the best is kept."""
    trainer: Trainer | None = None
    """Makes the networks that give the rows, a plain single-branch one in the papers; None: the arm's trainer."""

    @field_validator("sizes")
    @classmethod
    def _shrinks(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        return shrinking(sizes)

    def check(self, classes: tuple[str, ...], labels: Tensor) -> list[str]:
        del labels
        return too_large(self.sizes, classes)

    def group(self, context: GroupingContext) -> Grouping:
        classes = context.classes
        ungrouped = context.train(View.identity(classes), self.trainer)
        rows = class_rows = self._rows(ungrouped)
        levels: list[Level] = []
        inertias = []
        for size in self.sizes:
            labels, inertia = kmeans(self._scaled(rows), size, self.restarts, context.seed)
            levels.append(merged(levels[-1] if levels else None, labels, len(classes)))
            inertias.append(inertia)
            if size != self.sizes[-1]:
                rows = self._next_rows(levels, class_rows, context)
        return hierarchy(levels, classes, self._account(inertias, ungrouped))

    def _next_rows(self, levels: list[Level], class_rows: Tensor, context: GroupingContext) -> Tensor:
        if not self.retrain:
            return member_means(self._scaled(class_rows), levels[-1])
        k = len(levels)
        view = View.of_groups(f"level {k}", levels[-1], context.classes, k)
        return self._rows(context.train(view, self.trainer))

    def _rows(self, model: TrainedModel) -> Tensor:
        rows = model.networks[0].class_features().double().cpu()
        if not rows.isfinite().all():
            raise CamForgeError(
                f"grouper {self.name!r}: the network of view {model.view.name!r} has weights that are NaN"
            )
        return rows

    def _scaled(self, rows: Tensor) -> Tensor:
        return rows if self.normalize is None else torch.nn.functional.normalize(rows, dim=1)

    def _account(self, inertias: list[float], ungrouped: TrainedModel) -> dict[str, object]:
        source = "the network's own, of a network trained on the level below"
        if not self.retrain:
            source = "mean of the member classes' rows of the ungrouped network: not retrained"
        branches = len(ungrouped.networks)
        return {
            "inertia": inertias,
            "rows": source if branches == 1 else f"{source}; of the first of {branches} branches",
            "normalize": self.normalize or "none",
            "retrained": self.retrain,
        }


def kmeans(rows: Tensor, size: int, restarts: int, seed: int) -> tuple[list[int], float]:
    """Rows (K, C) float64 -> the cluster of each and the sum of squared distances to the centres, best of ``restarts``.

    Raises CamForgeError where there are fewer (distinct) rows than clusters.
    """
    distinct = len(torch.unique(rows, dim=0))
    if size > len(rows):
        raise CamForgeError(f"K-means: {size} clusters of {len(rows)} items")
    if size > distinct:
        raise CamForgeError(f"K-means: {size} clusters of {len(rows)} items of which only {distinct} are distinct")
    from sklearn.cluster import KMeans

    fitted = KMeans(size, n_init=restarts, random_state=seed).fit(rows.numpy())
    return fitted.labels_.tolist(), float(fitted.inertia_)


def member_means(class_rows: Tensor, level: Level) -> Tensor:
    """(K, C) rows of the classes -> one per group: the mean of its classes' rows, each class weighted equally."""
    return torch.stack([class_rows[members].mean(0) for members in level])
