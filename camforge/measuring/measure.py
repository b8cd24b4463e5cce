"""Metrics of any model's maps in one call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture import Targets, extract_maps, target_lists, unwrap
from camforge.capture.structures import check_runnable
from camforge.explanation.batches import sum_of_layers
from camforge.explanation.inputs import model_input
from camforge.explanation.names import check_count, names_of, with_indices
from camforge.explanation.recipe import recipe_of
from camforge.host.registry import build
from camforge.interfaces import Extractor, Metric, MetricInput
from camforge.measuring.explained import Explained, Networks
from camforge.measuring.truth import check_boxes, check_masks, checked_maps, told_names
from camforge.types import Batch, CamForgeError

MapFunction = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""A model, images (N, 3, H, W) and a target (N,) of each -> maps (N, H, W): a method of any library."""
Select = Callable[[Any], Tensor]
AnyMetric = str | Mapping[str, object] | Metric


def measure(
    model: nn.Module,
    images: Tensor,
    targets: Targets = None,
    extractor: str | Mapping[str, object] | Extractor | MapFunction = "gradcam",
    *,
    metrics: AnyMetric | Sequence[AnyMetric],
    masks: Tensor | None = None,
    boxes: Sequence[Tensor] | Tensor | None = None,
    classes: Sequence[str] = (),
    select: Select | None = None,
    batch_size: int = 16,
) -> dict[str, float]:
    """Numbers of a method's maps on some images, for any model.

    images     (N, 3, H, W) floats as the model wants them
    targets    as in explain(): None is the highest logit. Outputs only, no functions
    extractor  as in explain(), or a function of (model, images, targets (N,)) that returns maps (N, H, W)
    metrics    names, {"name": …, option: …} or Metrics, one or several
    masks      (P, H, W) bool: where the target of each of the P (image, target) pairs is, image by image; where two
               masks of one image overlap, the later counts
    boxes      P tensors (K, 4), or one (P, 4): x0, y0, x1, y1 of the target in pixels, x1 and y1 exclusive
    classes    the names of the outputs, where the model does not say;  select  takes logits out of what it returns

    Returns {name: number} of all metrics, and {name/class: number} for the classes that were explained. Raises
    CamForgeError where a metric needs what was not given.
    """
    check_runnable(unwrap(model))
    chosen = [_built(metric) for metric in ([metrics] if isinstance(metrics, str | Mapping | Metric) else metrics)]
    inputs = model_input(model, images)
    if not isinstance(inputs, Tensor) or inputs.dim() != 4 or not inputs.is_floating_point():
        raise CamForgeError("measure: images are the model's inputs, floats (N, 3, H, W): prepare photographs first")
    if not len(inputs) or not chosen:
        raise CamForgeError(f"measure: there are no {'metrics' if len(inputs) else 'images'}")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise CamForgeError(f"measure: batch_size={batch_size!r}; give a number from 1 on")
    if isinstance(extractor, list | tuple):
        raise CamForgeError("measure: give one extractor; call it once for each of several")
    name, times = Counter(metric.name for metric in chosen).most_common(1)[0]
    if times > 1:
        raise CamForgeError(
            f"measure: metric {name!r} is given twice, and both would report its numbers: call it once each"
        )
    check_masks(masks, inputs.shape[2:])
    check_boxes(boxes, inputs.shape[2:])
    classes = names_of(() if classes is None else classes)
    names = recipe_of(model, classes).classes
    logits = torch.cat([_logits(select, model, part) for part in inputs.split(batch_size)])
    check_count(classes, logits.shape[1])
    pairs = _Pairs.of(target_lists(with_indices(targets, names), logits), logits.shape[1], inputs.device)
    _check(chosen, masks, boxes, pairs)
    method = extractor if isinstance(extractor, Extractor) or callable(extractor) else build("extractor", extractor)
    explained = Explained(
        [[model]], partial(_ordered_logits, select, pairs.order), partial(_maps, method, select, pairs.order),
        logits.shape[1],
    )  # fmt: skip
    batches = _batches(inputs, logits, pairs, _Truth(masks, boxes), explained, batch_size)
    return _numbers(chosen, batches, told_names(pairs.order.tolist(), names))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """The pairs to be explained. Classes are numbered anew, those that are explained first: masks hold 254 of them.

    images (P,) and classes (P,) int64, in the new numbers;  order (K,): the output behind each new number
    """

    images: Tensor
    classes: Tensor
    order: Tensor

    @classmethod
    def of(cls, lists: Sequence[Sequence[Any]], outputs: int, device: torch.device) -> _Pairs:
        flat = [(i, target) for i, row in enumerate(lists) for target in row]
        if any(callable(target) for _, target in flat):
            raise CamForgeError("measure: targets are outputs of the model, not functions")
        if not flat:
            raise CamForgeError("measure: no image has a target")
        images, targets = torch.tensor(flat, device=device).view(-1, 2).unbind(1)
        used = targets.unique()
        rest = torch.ones(outputs, dtype=torch.bool, device=device).index_fill(0, used, False).nonzero()[:, 0]
        return cls(images, torch.searchsorted(used, targets.contiguous()), torch.cat([used, rest]))


def _built(metric: AnyMetric) -> Metric:
    return metric if isinstance(metric, Metric) else build("metric", metric)


def _check(metrics: Sequence[Metric], masks: object, boxes: object, pairs: _Pairs) -> None:
    given = {"masks": masks is not None, "boxes": boxes is not None, "several classes": len(pairs.order) > 1}
    for metric in metrics:
        if lacking := [need for need in sorted(metric.requires) if not given.get(need)]:
            raise CamForgeError(f"metric {metric.name!r} needs {' and '.join(lacking)}, and none were given")
        if metric.needs_calibration:
            raise CamForgeError(f"metric {metric.name!r} chooses by training images, which only an experiment has")
    for name, truth in (("masks", masks), ("boxes", boxes)):
        if isinstance(truth, Tensor | Sequence) and len(truth) != len(pairs.images):
            raise CamForgeError(f"{len(truth)} {name} for {len(pairs.images)} (image, target) pairs: give one each")


def _logits(select: Select | None, model: nn.Module, images: Tensor) -> Tensor:
    return extract_maps(model, images, [], 0, select=select).logits


def _ordered_logits(select: Select | None, order: Tensor, networks: Networks, images: Tensor) -> Tensor:
    return _logits(select, networks[0][0], images)[:, order]


def _maps(
    method: Extractor | MapFunction, select: Select | None, order: Tensor, networks: Networks, images: Tensor,
    targets: Tensor, _labels: Tensor,
) -> Tensor:  # fmt: skip
    outputs = order[targets]
    if not isinstance(method, Extractor):
        return checked_maps(method(networks[0][0], images, outputs), (len(images), *images.shape[2:]))
    found = extract_maps(networks[0][0], images, [method], outputs[:, None].tolist(), select=select).maps[0]
    return sum_of_layers(found, images.shape[2:])


@dataclass(frozen=True, eq=False)
class _Truth:
    """Where the pairs' targets are, as far as it was given."""

    masks: Tensor | None
    boxes: Sequence[Tensor] | Tensor | None

    def class_masks(self, pairs: Tensor, images: Tensor, classes: Tensor, count: int) -> Tensor | None:
        """Some pairs, their images among ``count`` and classes -> (count, H, W) uint8, 1 + class."""
        if self.masks is None:
            return None
        own = self.masks[pairs.to(self.masks.device)].to(images.device).bool()
        found = torch.zeros(count, *own.shape[1:], dtype=torch.uint8, device=images.device)
        for mask, image, label in zip(own, images.tolist(), classes.tolist(), strict=True):
            found[image][mask] = 1 + label
        return found

    def boxes_by_image(
        self, pairs: Tensor, images: Tensor, classes: Tensor, count: int
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Some pairs, their images among ``count`` and classes -> of each image boxes (K, 4) and their classes."""
        none = torch.zeros(0, 4)
        given = [none if self.boxes is None else torch.as_tensor(self.boxes[p]).view(-1, 4) for p in pairs.tolist()]
        whole = torch.cat([none, *given]).float().to(images.device)
        counts = torch.tensor([len(boxes) for boxes in given], dtype=torch.int64, device=images.device)
        owner, labels = images.repeat_interleave(counts), classes.repeat_interleave(counts)
        mine = [owner == image for image in range(count)]
        return tuple(whole[own] for own in mine), tuple(labels[own] for own in mine)


def _batches(
    images: Tensor, logits: Tensor, pairs: _Pairs, truth: _Truth, explained: Explained, batch_size: int
) -> Iterator[MetricInput]:
    for start in range(0, len(images), batch_size):
        part = images[start : start + batch_size]
        mine = ((pairs.images >= start) & (pairs.images < start + len(part))).nonzero()[:, 0]
        at, classes = pairs.images[mine] - start, pairs.classes[mine]
        labels = torch.zeros(len(part), len(pairs.order), dtype=torch.bool, device=part.device)
        labels[at, classes] = True
        masks = truth.class_masks(mine, at, classes, len(part))
        ids = tuple(f"image {start + i}" for i in range(len(part)))
        batch = Batch(ids, part, labels, masks, *truth.boxes_by_image(mine, at, classes, len(part)), None)
        maps = explained.maps(part[at], classes, labels[at])
        yield MetricInput(batch, maps, at, classes, logits[start : start + len(part)][:, pairs.order], explained)


def _numbers(metrics: Sequence[Metric], batches: Iterator[MetricInput], classes: tuple[str, ...]) -> dict[str, float]:
    totals: list[Tensor] = []
    for batch in batches:
        parts = [metric.update(batch).cpu() for metric in metrics]
        totals = [total + part for total, part in zip(totals, parts, strict=True)] if totals else parts
    found: dict[str, float] = {}
    for metric, total in zip(metrics, totals, strict=True):
        told = metric.compute(total, classes)
        if clash := sorted(found.keys() & told):
            raise CamForgeError(f"metric {metric.name!r}: two metrics report {clash[0]!r}: measure them one by one")
        found |= told
    return found
