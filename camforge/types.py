"""The small frozen values that flow through an experiment. Every shape is written down here, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

IGNORED = 255  # mask value of pixels that no metric counts (the border of VOC masks)


class CamForgeError(Exception):
    """A mistake the user can mend: one clear line with the thing, its place and what was allowed."""


class Saveable(Protocol):
    """A picture or a drawing: a notebook shows it, ``save`` writes it."""

    def save(self, path: str | Path) -> Path: ...


class Shown:
    """A value that shows itself, by the renderers that ``camforge.notebook`` registers when it is imported."""

    _renderers: ClassVar[Mapping[str, Callable[..., Any]]] = {}

    @classmethod
    def register_renderers(cls, **renderers: Callable[..., Any]) -> None:
        """Functions of a value of this class by what they do: "plot", "save" or "html"."""
        cls._renderers = {**cls._renderers, **renderers}

    def render(self, action: str, *arguments: object) -> Any:
        """What the renderer of ``action`` makes of the value. Raises CamForgeError where none is registered."""
        if action not in self._renderers:
            raise CamForgeError(f"{type(self).__name__}.{action}: import camforge.notebook first, which draws")
        return self._renderers[action](self, *arguments)

    def _repr_html_(self) -> str | None:
        return self.render("html") if "html" in self._renderers else None


class DatasetError(CamForgeError):
    """A split with mistakes. ``valid_images``: those that have none so far, so that checking can go on."""

    def __init__(self, message: str, valid_images: ImageSet) -> None:
        super().__init__(message)
        self.valid_images = valid_images


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with what is known of it. ``C`` is the number of classes of the image set.

    image        (3, H, W) uint8, RGB
    labels       (C,) bool, the image-level label: the only thing a trainer may see
    mask         (H, W) uint8 or None: 0 background, 1 + class index, 255 ignored
    boxes        (K, 4) float32: x0, y0, x1, y1 in pixels, x1 and y1 exclusive
    box_classes  (K,) int64, the class index of each box
    parts        (H, W) uint8 or None: 0 background, 1 body, 2 discriminative part
    """

    id: str
    image: Tensor
    labels: Tensor
    mask: Tensor | None = None
    boxes: Tensor = field(default_factory=lambda: torch.zeros(0, 4))
    box_classes: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    parts: Tensor | None = None


@dataclass(frozen=True, eq=False)
class ImageSet:
    """One split of a data set: everything cheap is here, ``load(i)`` reads image ``i`` in full.

    labels       (N, C) bool
    fingerprint  changes when the images, the labels or the options behind them change
    taxonomy     a known grouping of the classes, {group: class names}, where the data set has one
    notes        what a person should know of the files, one line each: what was left out, what is odd
    without_part (i, class, value of ``parts``) -> image ``i`` as it were without that part of the class's objects,
                 for a data set that draws its images
    """

    classes: tuple[str, ...]
    ids: tuple[str, ...]
    labels: Tensor
    load: Callable[[int], Sample]
    fingerprint: str
    taxonomy: Mapping[str, tuple[str, ...]] | None = None
    notes: tuple[str, ...] = ()
    without_part: Callable[[int, int, int], Sample] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def subset(self, indices: list[int]) -> ImageSet:
        """The images at ``indices``, in that order."""
        tag, removed = ",".join(map(str, indices)), self.without_part
        return replace(
            self,
            without_part=None if removed is None else lambda i, label, part: removed(indices[i], label, part),
            ids=tuple(self.ids[i] for i in indices),
            labels=self.labels[indices],
            load=lambda i: self.load(indices[i]),
            fingerprint=f"{self.fingerprint}[{tag}]",
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """B samples of one size, ready for a network.

    images  (B, 3, H, W) float32, normalised;  labels (B, C) bool
    masks   (B, H, W) uint8 or None;           parts  (B, H, W) uint8 or None
    boxes   per image (K, 4) float32;          box_classes per image (K,) int64
    """

    ids: tuple[str, ...]
    images: Tensor
    labels: Tensor
    masks: Tensor | None
    boxes: tuple[Tensor, ...]
    box_classes: tuple[Tensor, ...]
    parts: Tensor | None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class View:
    """One classification problem made from the classes of a data set: the noun that makes five papers one pipeline.

    outputs     the names of the network's outputs
    assignment  per class: the index of its output, or None where the class is left out
    level       0 for the ungrouped problem, k for the k-th grouping
    exclusive   train only on images that show exactly one of the outputs (a pair classifier)
    """

    name: str
    outputs: tuple[str, ...]
    assignment: tuple[int | None, ...]
    level: int = 0
    exclusive: bool = False

    @staticmethod
    def identity(classes: tuple[str, ...]) -> View:
        """Every class its own output."""
        return View("classes", classes, tuple(range(len(classes))))

    @staticmethod
    def of_groups(name: str, groups: list[list[int]], classes: tuple[str, ...], level: int) -> View:
        """One output per group of class indices."""
        owner = {c: g for g, members in enumerate(groups) for c in members}
        outputs = tuple("+".join(classes[c] for c in members) for members in groups)
        return View(name, outputs, tuple(owner.get(c) for c in range(len(classes))), level)

    def targets(self, labels: Tensor) -> Tensor:
        """(N, C) bool class labels -> (N, outputs) bool: an output is on when any of its members is (OR)."""
        out = torch.zeros(labels.shape[0], len(self.outputs), dtype=torch.bool, device=labels.device)
        for c, o in enumerate(self.assignment):
            if o is not None:
                out[:, o] |= labels[:, c]
        return out

    def usable(self, labels: Tensor) -> Tensor:
        """(N, C) bool -> (N,) bool: the images this problem may be trained on."""
        shown = self.targets(labels).sum(1)
        return shown == 1 if self.exclusive else torch.ones_like(shown, dtype=torch.bool)

    def members(self, output: int) -> tuple[int, ...]:
        """The class indices behind one output."""
        return tuple(c for c, o in enumerate(self.assignment) if o == output)


@dataclass(frozen=True)
class Grouping(Shown):
    """The views of an experiment and how they came about.

    views_by_class  per class: the indices of the views whose maps are fused for it, in order. None: every view that
                    holds it
    diagnostics     what a person wants to read: similarity, clusters, ranks, status. Plain JSON values
    """

    views: tuple[View, ...]
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    views_by_class: tuple[tuple[int, ...], ...] | None = None

    def views_of(self, class_index: int) -> tuple[int, ...]:
        """The indices of the views that speak for one class."""
        if self.views_by_class is not None:
            return self.views_by_class[class_index]
        return tuple(v for v, view in enumerate(self.views) if view.assignment[class_index] is not None)

    def plot(self) -> Saveable:
        """A tree of the levels; where they do not nest, a matrix of the classes that views set against each other."""
        drawing: Saveable = self.render("plot")
        return drawing

    def save(self, path: str | Path) -> Path:
        """Write the views and the diagnostics as .json, or the drawing as .svg."""
        written: Path = self.render("save", path)
        return written


class Network(nn.Module):
    """A classifier with named parts: ``body(x)`` gives logits (B, K).

    stages  paths of modules inside ``body``, shallow to deep, whose outputs are the field's "stages"
    head    path of the last linear layer inside ``body``
    """

    def __init__(self, body: nn.Module, stages: tuple[str, ...], head: str) -> None:
        super().__init__()
        self.body, self.stages, self.head = body, stages, head

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.body(images)
        return logits

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K) and the last stage's activation (B, C, h, w), both differentiable."""
        kept: list[Tensor] = []
        handle = self.body.get_submodule(self.stages[-1]).register_forward_hook(lambda _m, _i, out: kept.append(out))
        try:
            logits = self.body(images)
        finally:
            handle.remove()
        return logits, kept[-1]

    def class_features(self) -> Tensor:
        """(K, C): one row of the last linear layer's weight per output, no bias (Huang et al. 2019, sec. II-B)."""
        return cast(Tensor, self.body.get_submodule(self.head).weight).detach().flatten(1)


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """What a trainer made of a view: one network per branch, in eval mode.

    history  per epoch: {"epoch", "lr", "loss", ...}
    key      the store's key, which determines everything downstream
    """

    view: View
    networks: Sequence[Network]
    history: tuple[Mapping[str, float], ...] = ()
    key: str = ""


@dataclass(frozen=True, eq=False)
class Maps(Shown):
    """A stack of maps for P (image, class) pairs of one batch.

    values   (P, *axes, H, W) float32, as the extractors define them: raw, signed where the method is
    axes     names of the middle axes, a subset of ("view", "branch", "layer")
    images   (P,) int64, the image's index in the batch;  classes (P,) int64
    valid    (P, V) bool: which entries of the "view" axis exist for the pair (classes may have fewer views)
    outputs  (P, V) int64: which output of each view stands for the class, -1 where not valid
    labels   (B, C) bool, the image-level labels of the batch
    photographs  (B, 3, H, W) float32, the batch's images as the network saw them, or None where they are not kept
    """

    values: Tensor
    axes: tuple[str, ...]
    images: Tensor
    classes: Tensor
    valid: Tensor
    outputs: Tensor
    labels: Tensor
    photographs: Tensor | None = None

    def __len__(self) -> int:
        return self.values.shape[0]

    def replace(self, values: Tensor, axes: tuple[str, ...]) -> Maps:
        """The same pairs with other values."""
        return replace(self, values=values, axes=axes)

    def plot(self, photographs: Tensor | None = None, classes: Sequence[str] = ()) -> Saveable:
        """The first pairs' maps, over ``photographs`` (B, 3, H, W) uint8 where given, under the classes' names."""
        picture: Saveable = self.render("plot", photographs, classes)
        return picture

    def save(self, path: str | Path) -> Path:
        """Write every field as a tensor of a .pt file (``torch.load(path, weights_only=True)``), or a picture."""
        written: Path = self.render("save", path)
        return written
