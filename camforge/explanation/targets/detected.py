"""A detector's boxes as targets, and what detectors of each library return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torchvision.ops import box_convert, box_iou

from camforge.types import CamForgeError

What = Literal["class", "objectness", "similarity", "x0", "y0", "x1", "y1"]
_COORDINATES = ("x0", "y0", "x1", "y1")


class NoBox(CamForgeError):
    """No detected box overlaps the given one."""


class _Found(NamedTuple):
    """An image's A boxes (A, 4): scores (A, C), objectness (A,) or None, and what D-RISE compares."""

    boxes: Tensor
    scores: Tensor
    objectness: Tensor | None
    probabilities: Tensor
    confidence: Tensor


class DetectedBox:
    """``select=`` for detectors: the box that overlaps a given one most -> (N, 1), explained as output 0.

    boxes  (4,) or (N, 4): x0, y0, x1, y1 in pixels of the model's input, one for all images or one each
    label  look only at boxes of this class, and take its score; None: at all, and the score of each one's own class
    what   "class", the score of the class; "objectness", of a YOLO-like head; a coordinate: x0, y0, x1, y1; or
           "similarity": the largest over all boxes of IoU with the given one, times the cosine of the class scores with
           the label, times objectness (D-RISE; the score of boxes that have none); 0 where nothing is found
    size   (H, W) of the input, for DETR, whose boxes are shares of it

    Reads what torchvision's detectors return (a list of dicts), what DETR and its kin of transformers return (logits
    and pred_boxes), and a YOLO-like tensor (N, A, 5 + C) of centre, size, objectness and classes. Whether the last of
    DETR's logits is "no object" (DETR, YOLOS) or a class like the others, each with a sigmoid of its own (RT-DETR,
    Deformable DETR), explain() reads in the model's configuration; by itself, without a model, it is "no object".

        explain(detector, images, 0, select=DetectedBox([40, 30, 120, 90], label=17))
    """

    def __init__(
        self, boxes: Sequence[Any] | Tensor, label: int | None = None, what: What = "class",
        size: tuple[int, int] | None = None,
    ) -> None:  # fmt: skip
        self.boxes = torch.as_tensor(boxes, dtype=torch.float32).detach().reshape(-1, 4)
        self.label, self.what, self.size = label, what, size
        self.classes = 0  # of the model, 0 where that is unknown
        if what not in get_args(What):
            raise CamForgeError(f"what={what!r}; allowed: {', '.join(get_args(What))}")

    def of(self, model: nn.Module) -> DetectedBox:
        """The same question to a model whose number of classes is known."""
        found = copy(self)
        found.classes = classes_of(model)
        return found

    @property
    def caption(self) -> str:
        """``x0 of class 17 in box 40 30 120 90``."""
        label = None if self.label is None else f"class {self.label}"
        return box_caption(self.boxes[0].tolist() if len(self.boxes) == 1 else (), label, self.what)

    def __call__(self, output: Any) -> Tensor:
        """Raises CamForgeError where an image has no box, or the output is none that is known."""
        images = self._images(output)
        if len(self.boxes) not in (1, len(images)):
            raise CamForgeError(f"{len(self.boxes)} boxes for {len(images)} images: give one, or one for each image")
        wanted = self.boxes.expand(len(images), 4)
        if self.what == "similarity":
            return torch.stack([self._similarity(found, box) for found, box in zip(images, wanted, strict=True)])
        return torch.stack(
            [self._one(i, found, box) for i, (found, box) in enumerate(zip(images, wanted, strict=True))]
        )

    def _similarity(self, found: _Found, wanted: Tensor) -> Tensor:
        """(1,): how like the given box the likest one is."""
        like = box_iou(wanted[None].to(found.boxes), found.boxes)[0] * found.confidence
        if self.label is not None:
            known = self.label < found.probabilities.shape[1]
            like = like * (normalize(found.probabilities, dim=1)[:, self.label] if known else 0)
        return like.max()[None] if len(like) else found.boxes.new_zeros(1)

    def _one(self, index: int, found: _Found, wanted: Tensor) -> Tensor:
        """(1,): what is asked of the box that overlaps the given one most."""
        boxes, scores, objectness = found.boxes, found.scores, found.objectness
        own = scores.argmax(1)
        overlap = box_iou(wanted[None].to(boxes), boxes.detach())[0]
        if self.label is not None and self.label >= scores.shape[1]:
            raise CamForgeError(f"label {self.label}: the detector has classes 0 to {scores.shape[1] - 1}")
        if self.label is not None:
            overlap = torch.where(own == self.label, overlap, -1)
        if not len(boxes) or float(overlap.max()) <= 0:
            what = "" if self.label is None else f" of class {self.label}"
            raise NoBox(f"image {index}: no detected box{what} overlaps {wanted.tolist()}")
        best = int(overlap.argmax())
        if self.what in _COORDINATES:
            return boxes[best, _COORDINATES.index(self.what), None]
        if self.what == "objectness":
            if objectness is None:
                raise CamForgeError("what='objectness': this detector tells none, only YOLO-like heads do")
            return objectness[best, None]
        return scores[best, own[best] if self.label is None else self.label, None]

    def _images(self, output: Any) -> list[_Found]:
        """What was found in each image."""
        if isinstance(output, list | tuple) and output and isinstance(output[0], Mapping) and "boxes" in output[0]:
            tables = [_of_classes(image["scores"], image["labels"]) for image in output]
            return [
                _Found(image["boxes"], table, None, table.clamp(min=0), image["scores"])
                for image, table in zip(output, tables, strict=True)
            ]
        if hasattr(output, "pred_boxes") and hasattr(output, "logits"):
            return self._of_detr(output)
        output = output[0] if isinstance(output, list | tuple) and output else output
        if isinstance(output, Tensor) and output.dim() == 3 and output.shape[2] > 5:
            return [
                _Found(box_convert(row[:, :4], "cxcywh", "xyxy"), row[:, 5:], row[:, 4], row[:, 5:], row[:, 4])
                for row in output
            ]
        raise CamForgeError(f"a box of the model's: a {type(output).__name__} is no output of a known detector")

    def _of_detr(self, output: Any) -> list[_Found]:
        """Boxes with one logit per class, and "no object" behind them where there is one logit more than classes."""
        if self.size is None:
            raise CamForgeError("DetectedBox: DETR's boxes are shares of the input: give size=(H, W)")
        height, width = self.size
        corners = box_convert(output.pred_boxes, "cxcywh", "xyxy")
        corners, logits = corners * corners.new_tensor([width, height, width, height]), output.logits
        if no_object_is_last(output, self.classes):
            shares = logits.softmax(-1)
            logits, shares, sure = logits[..., :-1], shares[..., :-1], 1 - shares[..., -1]
        else:
            shares = logits.sigmoid()
            sure = shares.amax(-1)
        return [_Found(b, row, None, p, c) for b, row, p, c in zip(corners, logits, shares, sure, strict=True)]


def box_caption(box: Sequence[float], label: str | None, what: What) -> str:
    """What is asked of a box, in words: ``dog in box 40 30 120 90``, ``x0 of box 40 30 120 90``."""
    whose = " ".join(["box", *(f"{side:g}" for side in box)])
    whose = whose if label is None else f"{label} in {whose}"
    return whose if what == "class" else f"{what} of {whose}"


def no_object_is_last(output: Any, classes: int) -> bool:
    """Whether the last of DETR's logits is "no object": one more than ``classes``, or these are not known (0).

    Detectors of texts, whose logits are those of the texts asked for (OWL-ViT), have none.
    """
    texts = hasattr(output, "text_embeds")
    return not texts and (not classes or output.logits.shape[-1] == classes + 1)


def _of_classes(scores: Tensor, labels: Tensor) -> Tensor:
    """(A,) scores of the boxes' own classes -> (A, C), below zero elsewhere."""
    classes = int(labels.max()) + 1 if len(labels) else 1
    table = scores.new_full((len(scores), classes), -1)
    return table.scatter(1, labels[:, None], scores[:, None])


def classes_of(model: nn.Module) -> int:
    """How many classes a detector tells apart, 0 where that is unknown."""
    labels = getattr(getattr(model, "config", None), "num_labels", None)
    heads = [labels, *(getattr(m, "num_classes", getattr(m, "num_columns", None)) for m in model.modules())]
    heads += [getattr(m, "out_features", None) for name, m in model.named_modules() if name.endswith("cls_score")]
    return next((count for count in heads if isinstance(count, int)), 0)
