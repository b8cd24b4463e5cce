"""Everything that a report shows, as plain frozen values: the report knows nothing of how they came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

ClassMaps = Mapping[int, Tensor]
"""{class index: (h, w) float map}, raw as the extractor defines it; the report rectifies and max-normalises."""


@dataclass(frozen=True)
class ViewReport:
    """One classification problem of a grouping.

    outputs  per output of the network: the names of the classes behind it
    level    0 for the ungrouped problem, k for the k-th grouping
    """

    name: str
    outputs: tuple[tuple[str, ...], ...]
    level: int = 0


@dataclass(frozen=True)
class TrainingCurve:
    """The training of one network: per epoch a mapping with "epoch", and what was logged ("lr", "loss", …)."""

    name: str
    epochs: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class ArmReport:
    """One row of the table.

    metrics          the first is the headline; ``name/class`` is one class's number; NaN where there is none
    lower_is_better  which of the metrics' names (before the "/") are better when lower
    undirected       which of them are neither better nor worse
    thresholds       {a metric's name that is a chosen threshold, no score: the number that it belongs to}
    spec             the arm's plugins and options, plain JSON values
    views            the classification problems, any order (one identity view where nothing was grouped)
    diagnostics      what the grouper has to say: similarity, clusters, ranks, status. Plain JSON values. A list of C
                     rows of C numbers is drawn as a matrix over the classes
    curves           one per trained view
    control          a row that no network made (centred Gaussian, everything is foreground)
    plots            {title: points (x, y)}: curves of the metrics, such as the mIoU over the threshold
    failure          why the arm ended early and has no numbers, "" where it has
    remark           what a reader of its numbers must not overlook
    """

    name: str
    metrics: Mapping[str, float]
    lower_is_better: frozenset[str] = frozenset()
    undirected: frozenset[str] = field(default=frozenset(), kw_only=True)
    thresholds: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    note: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)
    views: tuple[ViewReport, ...] = ()
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    curves: tuple[TrainingCurve, ...] = ()
    seconds: float | None = None
    control: bool = False
    plots: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    failure: str = ""
    remark: str = ""


@dataclass(frozen=True, eq=False)
class GalleryImage:
    """One image with its truth and every arm's maps.

    image         (3, H, W) uint8 RGB, at the geometry in which it was measured (after crop or squash)
    labels        (C,) bool
    mask          (H, W) uint8 or None: 0 background, 1 + class index, 255 ignored
    boxes         (K, 4) float32: x0, y0, x1, y1 in pixels of ``image``;  box_classes  (K,) int64
    maps          {arm name: {class index: (h, w)}}, any h and w: they are resized to the image
    before_fusion {arm name: {"level 1, branch 2": {class index: (h, w)}}}, where they are worth showing
    """

    id: str
    image: Tensor
    labels: Tensor
    maps: Mapping[str, ClassMaps]
    mask: Tensor | None = None
    boxes: Tensor = field(default_factory=lambda: torch.zeros(0, 4))
    box_classes: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    before_fusion: Mapping[str, Mapping[str, ClassMaps]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything that the page of one experiment shows.

    recipe     the manifest: versions, seed, configuration, keys of the stages. Plain JSON values
    arms       the rows of the table in order, controls (``control=True``) among them
    skipped    one line per image that was left out: its name and the reason
    left_out   {metric: what it needs and the data lacks}
    notes      what a reader of the numbers must know of the data
    by_metric  {metric: the names of its numbers}
    threshold  where the gallery's slider starts: seed = max-normalised map >= threshold
    """

    title: str
    classes: tuple[str, ...]
    arms: tuple[ArmReport, ...]
    about: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    gallery: tuple[GalleryImage, ...] = ()
    skipped: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    threshold: float = 0.15
    by_metric: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
