"""An ORACLE: which pairs would be best for each class, judged by the validation masks. No method, a bound for one."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from camforge.analysis.finished import Finished
from camforge.files import write_atomically
from camforge.maps import max_normalise, seed_mask
from camforge.pipeline.fuse import FusedMaps, MapFuser
from camforge.progress.progress import Progress
from camforge.types import IGNORED, Batch, CamForgeError

Change = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Oracle:
    """IoU in percent, NaN where a class has fewer views; classes in the data set's order.

    partners  per class the other class of each of its pairs
    alone     (C, V) of each pair's own maps
    best      (C, V) of the mean map of the k + 1 best pairs of the class, chosen by ``alone``
    """

    classes: tuple[str, ...]
    partners: tuple[tuple[str, ...], ...]
    alone: Tensor
    best: Tensor

    def rows(self) -> Iterator[tuple[str, list[float]]]:
        """("all with cat", …) and ("ORACLE, best 1 …"), per class and the mean over the classes last."""
        for name in self.classes:
            values = [
                float(self.alone[c, there.index(name)]) if name in there else float("nan")
                for c, there in enumerate(self.partners)
            ]
            yield f"pair with {name}", values
        for k in range(self.best.shape[1]):
            values = self.best[:, k].tolist()
            yield f"ORACLE, best {k + 1}", [*values, sum(values) / len(values)]


def oracle(
    folder: str | Path, arm: str | None = None, threshold: float = 0.15, device: str = "auto", quiet: bool = False
) -> Oracle:
    """Table 1 of "Representative Class Selection": every pair of each class, and the best k by the validation masks.

    folder  a finished experiment's;  arm  one that pairs classes, None for the last
    Writes ``oracle.csv`` there. Raises CamForgeError where the arm's views are not pairs of classes.
    """
    finished = Finished.open(Path(folder), device, Progress(quiet))
    name = finished.arm(arm or list(finished.experiment.arms)[-1])
    maps = finished.fused_maps(name, "val")
    partners = _partners(maps.fuser, name)
    size = finished.session.batch_size
    alone = _iou(maps, threshold, size, lambda maps, _classes: maps)
    order = alone.nan_to_num(-1).argsort(dim=1, descending=True, stable=True)

    def best(maps: Tensor, classes: Tensor) -> Tensor:
        """(P, V, H, W) -> the means of the first 1, 2 … V maps in the class's order."""
        ranked = maps.gather(1, order[classes][..., None, None].expand_as(maps))
        return ranked.cumsum(1) / torch.arange(1, 1 + maps.shape[1])[:, None, None]

    chosen = _iou(maps, threshold, size, best)
    found = Oracle(maps.split.dataset.classes, partners, alone, chosen.where(~alone.isnan().sort(1).values, torch.nan))
    write_atomically(Path(folder) / "oracle.csv", _csv(found).encode())
    return found


def _partners(fuser: MapFuser, arm: str) -> tuple[tuple[str, ...], ...]:
    views = fuser.grouping.views
    if any(len(view.outputs) != 2 for view in views):
        raise CamForgeError(f"arm {arm!r}: the oracle chooses among pairs of classes; its views are not pairs")
    table = []
    for c in range(len(views[0].assignment)):
        of_class = []
        for v in fuser.grouping.views_of(c):
            own = views[v].assignment[c]
            of_class.append(next(name for o, name in enumerate(views[v].outputs) if o != own))
        table.append(tuple(of_class))
    return tuple(table)


def _iou(fused: FusedMaps, threshold: float, size: int, change: Change) -> Tensor:
    """(C, V) IoU in percent of every entry of the view axis after ``change(maps (P, V, H, W), classes)``."""
    counts: Tensor | None = None
    for places, batch in fused.split.batches(size, torch.device("cpu")):
        if batch.masks is None:
            raise CamForgeError(f"the oracle looks at masks, and image {batch.ids[0]!r} has none")
        counts = _add(counts, _batch_counts(places, batch, batch.masks, fused.fuser, threshold, change))
    assert counts is not None
    iou = 100 * counts[..., 0] / counts[..., 1].clamp(min=1)
    return iou.where(counts[..., 2] > 0, torch.nan)


def _add(total: Tensor | None, counts: Tensor) -> Tensor:
    return counts if total is None else total + counts


def _batch_counts(
    places: list[int], batch: Batch, masks: Tensor, fuser: MapFuser, threshold: float, change: Change
) -> Tensor:
    """(C, V, 3) float64: intersection, union, pairs."""
    height, width = batch.images.shape[-2:]
    stack = fuser.stack(places, batch.labels, batch.labels, (height, width))
    maps = max_normalise(stack.values[:, :, 0, 0]) * stack.valid[..., None, None]
    predicted = seed_mask(change(maps, stack.classes), threshold)
    own = masks[stack.images]
    truth, counted = (own == 1 + stack.classes[:, None, None])[:, None], (own != IGNORED)[:, None]
    both = (predicted & truth & counted).sum((2, 3))
    either = ((predicted | truth) & counted).sum((2, 3))
    there = torch.stack([both, either, stack.valid], -1).double()
    total = torch.zeros(batch.labels.shape[1], maps.shape[1], 3, dtype=torch.float64)
    return total.index_add_(0, stack.classes, there)


def _csv(found: Oracle) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["IoU in percent", *found.classes, "mean"])
    writer.writerows([name, *(f"{value:.2f}" for value in values)] for name, values in found.rows())
    return text.getvalue()
