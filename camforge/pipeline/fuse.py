"""The fuse stage: from the extracted maps of every view, branch and layer to one map per (image, class), by batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from camforge.capture import extract_maps
from camforge.config.schema import Arm, target_classes
from camforge.data.prepared import Prepared
from camforge.host.failure import blaming
from camforge.interfaces import ExplainedModel, Extractor, Fuser, MetricInput
from camforge.maps import resize
from camforge.measuring.explained import Networks
from camforge.store.stored_maps import StoredMaps
from camforge.types import Batch, CamForgeError, Grouping, Maps, View

AT_ONCE = 512 << 20  # bytes of the stack that fusers of all classes see
PAIRS = 4096  # (image, class) pairs that they see: some hold each against each


@dataclass(frozen=True, eq=False)
class SplitMaps(ABC):
    """One split with one map per image and label: an arm's or a control's. ``recipe``: what determines the maps."""

    label: str
    recipe: Mapping[str, Any]
    split: Prepared

    @abstractmethod
    def metric_input(self, places: list[int], batch: Batch) -> MetricInput:
        """The batch at ``places`` of the split, with its maps."""

    def without_part(self, places: list[int], batch: Batch) -> Callable[[Tensor, Tensor, int], Tensor] | None:
        """The batch's images without a part of a class's objects, where the data set draws them."""
        if self.split.dataset.without_part is None:
            return None

        def drawn(images: Tensor, classes: Tensor, part: int) -> Tensor:
            at = [places[i] for i in images.tolist()]
            return self.split.without_part(at, classes.tolist(), part, batch.images.device)

        return drawn

    def batches(
        self, size: int, device: torch.device, share: slice = slice(None)
    ) -> Iterator[tuple[list[int], MetricInput]]:
        """(places, the batch with its maps) of the whole split in order, or of a share of its batches."""
        for places, batch in self.split.batches(size, device, share):
            yield places, self.metric_input(places, batch)


@dataclass(frozen=True, eq=False)
class FusedMaps(SplitMaps):
    """An arm's maps.

    fuser   from stored maps to one per image and label
    logits  places (B,) -> (B, C) of the arm's ungrouped network, None where it has none
    model   the arm's networks, where that is one of them
    """

    fuser: MapFuser
    logits: Callable[[list[int]], Tensor] | None
    model: ExplainedModel | None

    def metric_input(self, places: list[int], batch: Batch) -> MetricInput:
        maps = self.fuser.fused(places, batch.labels, batch.images)
        logits = None if self.logits is None else self.logits(places).to(batch.labels.device)
        removed = self.without_part(places, batch)
        return MetricInput(batch, maps.values, maps.images, maps.classes, logits, self.model, removed)


@dataclass(frozen=True, eq=False)
class ArmMaps:
    """Makes an arm's maps of any images, by any networks: for metrics that change the images or the networks."""

    name: str
    arm: Arm
    grouping: Grouping

    def __call__(self, networks: Networks, images: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
        """(N, 3, H, W), (N,) and (N, C) bool, the target among them -> the targets' maps (N, H, W)."""
        if len(self.grouping.views) == 1:  # fusers of several views alone read what else an image shows
            labels = one_hot(targets, labels.shape[1]).bool()
        views = zip(self.grouping.views, networks, strict=True)
        stored = [self._extracted(view, branches, images, labels) for view, branches in views]
        fuser = MapFuser(self.name, self.arm.extractor, self.arm.fusers, self.grouping, stored)
        maps = fuser.fused(list(range(len(images))), labels, images)
        return maps.values[maps.classes == targets[maps.images]]

    def _extracted(self, view: View, branches: Sequence[nn.Module], images: Tensor, labels: Tensor) -> StoredMaps:
        shown = view.targets(labels)
        wanted = torch.ones_like(shown) if self.arm.targets == "all" else shown
        found = [extract_maps(network, images, [self.arm.extractor], wanted) for network in branches]
        maps = tuple(tuple(layer.float() for layer in branch.maps[0]) for branch in found)
        return StoredMaps(wanted.cpu(), maps)


@dataclass(frozen=True, eq=False)
class MapFuser:
    """Builds the stack of an arm for a batch and takes it through the arm's fusers.

    stored  one per view of the grouping
    """

    name: str
    extractor: Extractor
    fusers: Sequence[Fuser]
    grouping: Grouping
    stored: Sequence[StoredMaps]

    def fused(self, places: list[int], labels: Tensor, photographs: Tensor) -> Maps:
        """Labels (B, C) bool and photographs (B, 3, H, W) at ``places`` -> a map (P, H, W) per image and label.

        Where fusers need all classes, as many images at a time as AT_ONCE and PAIRS have room for.
        """
        if target_classes(self.fusers) == "present":
            return self._fused(places, labels, labels, photographs)
        pairs = torch.ones_like(labels)
        each = 4 * self._slots().numel() * sum(map(len, self.stored[0].maps)) * photographs[0, 0].numel()
        size = max(1, min(AT_ONCE // each, PAIRS // labels.shape[1]))
        starts = range(0, max(1, len(places)), size)
        some = [slice(start, start + size) for start in starts]
        parts = [self._fused(places[part], pairs[part], labels[part], photographs[part]) for part in some]
        if len(parts) == 1:
            return parts[0]
        images = torch.cat([part.images + start for part, start in zip(parts, starts, strict=True)])
        values, classes, valid, outputs = (
            torch.cat([getattr(part, name) for part in parts]) for name in ("values", "classes", "valid", "outputs")
        )
        return Maps(values, (), images, classes, valid, outputs, labels, photographs)

    def _fused(self, places: list[int], pairs: Tensor, labels: Tensor, photographs: Tensor) -> Maps:
        height, width = photographs.shape[-2:]
        maps = replace(self.stack(places, pairs, labels, (height, width)), photographs=photographs)
        for fuser in self.fusers:
            with blaming(fuser):
                maps = fuser(maps)
        maps = self._squeezed(maps)
        shown = labels[maps.images, maps.classes]
        kept = (maps.values, maps.images, maps.classes, maps.valid, maps.outputs)
        values, images, classes, valid, outputs = (tensor[shown] for tensor in kept)
        return Maps(values, (), images, classes, valid, outputs, labels, photographs)

    def stack(self, places: list[int], pairs: Tensor, labels: Tensor, size: tuple[int, int]) -> Maps:
        """``pairs`` (B, C) bool -> values (P, V, branches, layers, H, W) before any fuser."""
        images, classes = pairs.nonzero(as_tuple=True)
        slots = self._slots().to(labels.device)[classes]
        outputs = torch.full_like(slots, -1)
        branches, layers = len(self.stored[0].maps), len(self.stored[0].maps[0])
        values = torch.zeros(len(images), slots.shape[1], branches, layers, *size, device=labels.device)
        for v, stored in enumerate(self.stored):
            pair, slot = (slots == v).nonzero(as_tuple=True)
            if len(pair) == 0:
                continue
            assignment = self.grouping.views[v].assignment
            owner = torch.tensor([-1 if o is None else o for o in assignment], device=labels.device)
            outputs[pair, slot] = owner[classes[pair]]
            rows = stored.rows(places)[images[pair].cpu(), owner[classes[pair]].cpu()]
            for b, branch in enumerate(stored.maps):
                for layer, maps in enumerate(branch):
                    values[pair, slot, b, layer] = resize(maps[rows].to(labels.device), size)
        return Maps(values, ("view", "branch", "layer"), images, classes, slots >= 0, outputs, labels)

    def _slots(self) -> Tensor:
        """(C, V) int64: the views that serve each class, filled up with -1."""
        served = [self.grouping.views_of(c) for c in range(len(self.grouping.views[0].assignment))]
        width = max(len(views) for views in served)
        return torch.tensor([list(views) + [-1] * (width - len(views)) for views in served])

    def _squeezed(self, maps: Maps) -> Maps:
        """An axis that never had more than one entry needs no fuser; any other left over is a mistake."""
        for place in range(len(maps.axes) - 1, -1, -1):
            if maps.values.shape[1 + place] > 1:
                axis, count = maps.axes[place], maps.values.shape[1 + place]
                raise CamForgeError(
                    f"arm {self.name!r}: {count} maps are left on the {axis!r} axis; add a fuser with axis={axis!r}"
                )
            maps = maps.replace(maps.values.squeeze(1 + place), maps.axes[:place] + maps.axes[place + 1 :])
        return maps
