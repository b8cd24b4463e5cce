"""A few images whose maps are looked at while a model trains: pictures, and numbers where their truth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from camforge.data.geometry import Geometry
from camforge.explanation.explain import Choice, explain
from camforge.explanation.explanation import Explanation
from camforge.host.registry import build
from camforge.interfaces import Metric, MetricInput
from camforge.types import Batch, CamForgeError

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, eq=False)
class Look:
    """What a model's maps were at one moment. ``picture`` (3, H, W) uint8; ``numbers`` {name: value}."""

    picture: Tensor
    numbers: Mapping[str, float]


class MapMonitor:
    """Images with their classes, and how their maps are made, shown and measured.

    images       (N, 3, H, W) floats as the model wants them
    targets      (N,) the class of each image that is explained
    masks        (N, H, W), not 0 where the class is;  boxes  (N, 4) x0, y0, x1, y1 in pixels, x1 and y1 exclusive
    extractor    as ``camforge.explain`` takes it
    metrics      names or options of metrics; those that need masks or boxes need them here. Empty: pointing_game where
                 there are masks or boxes
    photographs  (N, 3, h, w) uint8 to show the maps over; None: the images, brought to 0..255
    classes      names of the outputs;  select  takes the logits out of what the model returns
    module       path of the classifier in a model that is more than one, such as "backbone"
    """

    def __init__(
        self, images: Tensor, targets: Sequence[int] | Tensor, *, masks: Tensor | None = None,
        boxes: Tensor | None = None, extractor: Choice = "gradcam", metrics: Sequence[str | Mapping[str, Any]] = (),
        photographs: Tensor | None = None, classes: Sequence[str] = (), select: Callable[[Any], Tensor] | None = None,
        module: str = "",
    ) -> None:  # fmt: skip
        self.images, self.targets = images, torch.as_tensor(targets)
        self.masks, self.boxes = masks, boxes
        self.extractor = build("extractor", extractor) if isinstance(extractor, str | Mapping) else extractor
        self.photographs = _as_bytes(images) if photographs is None else photographs
        self.classes, self.select, self.module = tuple(classes), select, module
        self._check()
        known = metrics or (["pointing_game"] if masks is not None or boxes is not None else [])
        self.metrics = [self._metric(build("metric", each)) for each in known]

    @classmethod
    def of(
        cls, dataset: Mapping[str, Any] | str, count: int = 8, *, split: str = "val", size: int = 224,
        mean: Sequence[float] = IMAGENET[0], std: Sequence[float] = IMAGENET[1], **options: Any,
    ) -> Self:  # fmt: skip
        """Images spread over a split of a data set plugin, with what it knows of them; only plain values are needed.

        dataset  such as {"name": "image_folder", "root": "pets"};  size, mean, std  as the training prepares images
        """
        found = build("dataset", dataset).open("train" if split == "train" else "val")
        geometry = Geometry(size, "crop", (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))
        places = torch.linspace(0, len(found) - 1, min(count, len(found))).long().unique().tolist()
        samples = [geometry.place(found.load(i)) for i in places]
        targets = [int(sample.labels.nonzero()[0]) for sample in samples]
        photographs = torch.stack([sample.image for sample in samples])
        masks = [s.mask == 1 + c for s, c in zip(samples, targets, strict=True) if s.mask is not None]
        images = (photographs / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
        known = {"masks": torch.stack(masks) if len(masks) == len(samples) else None, "classes": found.classes}
        return cls(images, targets, photographs=photographs, **(known | options))

    def look(self, model: nn.Module) -> Look:
        """The maps of the model as it is now. It comes back in the modes it was in, and draws no random numbers."""
        network = model.get_submodule(self.module)
        device = next(network.parameters()).device
        with _at_rest(network):
            found = explain(
                network, self.images.to(device), self.targets.tolist(), self.extractor, classes=self.classes,
                select=self.select,
            )  # fmt: skip
        return Look(found.show(self.photographs).pixels, self._numbers(found))

    def _numbers(self, found: Explanation) -> dict[str, float]:
        count, outputs = found.logits.shape
        labels = torch.zeros(count, outputs, dtype=torch.bool)
        labels[torch.arange(count), self.targets] = True
        masks = None if self.masks is None else torch.where(self.masks != 0, 1 + self.targets[:, None, None], 0)
        boxes = torch.zeros(count, 0, 4) if self.boxes is None else self.boxes.float()[:, None]
        owners = self.targets[:, None].expand(count, boxes.shape[1])
        names = tuple(f"image {i}" for i in range(count))
        batch = Batch(
            names, self.images, labels, None if masks is None else masks.byte(), tuple(boxes), tuple(owners), None
        )
        given = MetricInput(batch, found.maps.detach().float().cpu(), found.images.cpu(), found.targets.cpu(),
                            found.logits.detach().float().cpu())  # fmt: skip
        classes = self.classes or tuple(f"output {i}" for i in range(outputs))
        numbers = {name: float(v) for metric in self.metrics for name, v in _computed(metric, given, classes).items()}
        return {name: value for name, value in numbers.items() if "/" not in name}  # not those of each class

    def _check(self) -> None:
        count = len(self.images)
        for name in ("targets", "masks", "boxes", "photographs"):
            values = getattr(self, name)
            if values is not None and len(values) != count:
                raise CamForgeError(f"MapMonitor: {len(values)} {name} for {count} images")
        if self.masks is not None and self.masks.shape[1:] != self.images.shape[2:]:
            sizes = [tuple(each.shape[-2:]) for each in (self.masks, self.images)]
            raise CamForgeError(f"MapMonitor: masks of {sizes[0]} pixels for images of {sizes[1]}")

    def _metric(self, metric: Metric) -> Metric:
        there = {name for name in ("masks", "boxes") if getattr(self, name) is not None}
        if lacking := {"masks", "boxes"} & metric.requires - there:
            raise CamForgeError(f"MapMonitor: metric {metric.name!r} needs {', '.join(lacking)}, which were not given")
        return metric


def _computed(metric: Metric, given: MetricInput, classes: tuple[str, ...]) -> Mapping[str, float]:
    return metric.compute(metric.update(given), classes)


@contextmanager
def _at_rest(model: nn.Module) -> Iterator[None]:
    """The model as it would predict, without a random number drawn from those of its training."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        with torch.random.fork_rng(), torch.enable_grad():
            model.eval()
            yield
    finally:
        for module, training in modes:
            module.training = training


def _as_bytes(images: Tensor) -> Tensor:
    """(N, 3, H, W) floats of any normalisation -> uint8, each image's smallest value black and its largest white."""
    flat = images.detach().float().cpu().flatten(1)
    low, high = flat.amin(1), flat.amax(1)
    scaled = (flat - low[:, None]) / (high - low).clamp(min=1e-12)[:, None] * 255
    return scaled.round().byte().view(images.shape)
