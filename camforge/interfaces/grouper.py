"""Groupers: from classes to views."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from torch import Tensor

from camforge.interfaces.base import Plugin
from camforge.interfaces.trainer import Trainer
from camforge.types import Grouping, TrainedModel, View


class GroupingContext(Protocol):
    """What a grouper may use: the classes, the labels, and networks trained on demand (each one only once).

    seed      the experiment's seed
    classes   names of the C classes
    labels    (N, C) bool, the labels of the training split
    taxonomy  a known grouping of the classes, where the data set has one
    """

    @property
    def seed(self) -> int: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> Tensor: ...
    @property
    def taxonomy(self) -> Mapping[str, tuple[str, ...]] | None: ...

    def train(self, view: View, trainer: Trainer | None = None, holdout: Tensor | None = None) -> TrainedModel:
        """The view's networks, by the arm's trainer or the one named; ``holdout`` (N,) bool images are kept out."""
        ...

    def logits(self, model: TrainedModel, images: Tensor) -> Tensor:
        """(M,) int64 indices into the training split -> (M, K) float32 logits of the first branch."""
        ...


class Grouper(Plugin, ABC):
    """A grouper turns classes into views.

    class Halves(Grouper):
        \"""The classes in two halves, beside the ungrouped view.\"""
        name = "halves"

        def group(self, context):
            n = len(context.classes)
            halves = View.of_groups("halves", [list(range(n // 2)), list(range(n // 2, n))], context.classes, level=1)
            return Grouping((View.identity(context.classes), halves))
    """

    kind: ClassVar[str] = "grouper"

    @abstractmethod
    def group(self, context: GroupingContext) -> Grouping:
        """The views, the ungrouped one first where there is one, and diagnostics that a person can read."""

    def check(self, classes: tuple[str, ...], labels: Tensor) -> list[str]:
        """What cannot work with these classes and (N, C) labels, said before anything is trained."""
        del classes, labels
        return []

    def trainers(self) -> Mapping[str, Any]:
        """The grouper's own trainers by option name, where it has any."""
        options = {field: getattr(self, field) for field in type(self).model_fields}
        return {field: value for field, value in options.items() if isinstance(value, Trainer)}
