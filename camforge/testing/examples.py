"""What plugins are tried on: small networks, maps, a metric's input, a grouper's context; the same in every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from camforge.capture import extract_maps
from camforge.host.registry import build
from camforge.interfaces import Backbone, ExplainedModel, MetricInput, Trainer
from camforge.maps import resize
from camforge.measuring.explained import Explained, Networks
from camforge.types import Batch, Maps, Network, TrainedModel, View

CLASSES = ("cat", "dog", "horse", "cow", "bus", "car", "train", "boat")
TAXONOMY: Mapping[str, tuple[str, ...]] = {"animals": CLASSES[:4], "vehicles": CLASSES[4:]}


def example_network(outputs: int = 5, seed: int = 0) -> Network:
    """Three stages with BatchNorm and in-place ReLU, strides 1, 2, 2, then GAP and a linear layer; in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after, stride in ((3, 6, 1), (6, 8, 2), (8, 10, 2)):
        layers += [nn.Conv2d(before, after, 3, stride, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, outputs))
    for tensor in body.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * (0.8 if tensor.dim() == 1 else 1) - 0.4)
    for norm in body.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.get_buffer("running_var").abs_().add_(0.5)
            norm.weight.data.abs_().add_(0.5)
    return Network(body, ("2", "5", "8"), "11").eval()


def example_images(count: int = 3, height: int = 20, width: int = 28) -> Tensor:
    """(N, 3, H, W) float32, normalised noise with a bright square that wanders."""
    images = torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))
    for i in range(count):
        images[i, :, 2 + 3 * i : 8 + 3 * i, 4 + 2 * i : 12 + 2 * i] += 2
    return images


def small_backbone() -> Backbone:
    """A backbone to build trainers with."""
    return build("backbone", "small")


def example_maps(count: int = 3) -> Maps:
    """A stack of all three axes: a class view and two levels of groups, 2 branches, 2 layers, 6x8 pixels.

    ``count`` images show two of four classes each; the last class is in no group of the second level.
    """
    classes = CLASSES[:4]
    views = [
        View.identity(classes),
        View.of_groups("three", [[0, 1], [2], [3]], classes, level=1),
        View.of_groups("two", [[0, 1], [2]], classes, level=2),
    ]
    labels = torch.zeros(count, 4, dtype=torch.bool)
    for i in range(count):
        labels[i, [i % 4, (i + 1) % 4]] = True
    images, shown = labels.nonzero(as_tuple=True)
    owner = torch.tensor([[-1 if o is None else o for o in view.assignment] for view in views])
    outputs = owner[:, shown].T
    values = torch.randn(len(images), 3, 2, 2, 6, 8, generator=torch.Generator().manual_seed(2))
    values[outputs < 0] = 0
    photographs = torch.rand(count, 3, 6, 8, generator=torch.Generator().manual_seed(4))
    return Maps(values, ("view", "branch", "layer"), images, shown, outputs >= 0, outputs, labels, photographs)


def example_metric_input(count: int = 4) -> MetricInput:
    """16x20 pixels, three classes, with all truth there is, a map per class of each label, logits and a network."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.zeros(count, 3, dtype=torch.bool)
    masks = torch.zeros(count, 16, 20, dtype=torch.uint8)
    parts = torch.zeros(count, 16, 20, dtype=torch.uint8)
    boxes, box_classes = [], []
    for i in range(count):
        shown = [i % 3] if i % 2 else [i % 3, (i + 1) % 3]
        corners = []
        for slot, c in enumerate(shown):
            top, left = 1 + i % 3, 2 + 9 * slot
            labels[i, c] = True
            masks[i, top : top + 9, left : left + 7] = 1 + c
            parts[i, top : top + 9, left : left + 7] = 1
            parts[i, top : top + 3, left : left + 3] = 2
            corners.append([left, top, left + 7, top + 9])
        masks[i, -2:] = 255
        boxes.append(torch.tensor(corners, dtype=torch.float32))
        box_classes.append(torch.tensor(shown))
    images, classes = labels.nonzero(as_tuple=True)
    ids = tuple(f"image{i}" for i in range(count))
    pixels = torch.randn(count, 3, 16, 20, generator=generator)
    batch = Batch(ids, pixels, labels, masks, tuple(boxes), tuple(box_classes), parts)
    near = (masks[images] == 1 + classes[:, None, None]).float()
    maps = near + 0.7 * torch.rand(near.shape, generator=generator) - 0.2
    logits = torch.randn(count, 3, generator=generator)
    return MetricInput(batch, maps, images, classes, logits, example_model(3), _without_part(pixels, masks, parts))


def example_model(outputs: int = 3) -> ExplainedModel:
    """A small network and its Grad-CAM maps, in float64: a number does not hang on what else is in the batch."""
    extractor = build("extractor", "gradcam")

    def classify(networks: Networks, images: Tensor) -> Tensor:
        network = networks[0][0].to(images.device)
        logits: Tensor = network(images.double())
        return logits

    def explain(networks: Networks, images: Tensor, targets: Tensor, labels: Tensor) -> Tensor:
        del labels
        network = networks[0][0].to(images.device)
        found = extract_maps(network, images.double(), [extractor], [[int(t)] for t in targets])
        return resize(found.maps[0][0], (images.shape[2], images.shape[3])).float()

    return Explained([[example_network(outputs).double()]], classify, explain, outputs)


def _without_part(pixels: Tensor, masks: Tensor, parts: Tensor) -> Callable[[Tensor, Tensor, int], Tensor]:
    """A part of a class's objects painted over with the mean colour."""

    def without(images: Tensor, classes: Tensor, part: int) -> Tensor:
        at, on = images.cpu(), images.device
        gone = (masks[at] == 1 + classes.cpu()[:, None, None]) & (parts[at] == part)
        return pixels[at].masked_fill(gone[:, None], 0).to(on)

    return without


@dataclass
class ExampleGroupingContext:
    """A GroupingContext over eight classes whose networks are made on the spot instead of trained."""

    seed: int = 0
    classes: tuple[str, ...] = CLASSES
    taxonomy: Mapping[str, tuple[str, ...]] | None = field(default_factory=lambda: TAXONOMY)
    trained: list[View] = field(default_factory=list)

    @property
    def labels(self) -> Tensor:
        """(120, 8) bool: each class alone in ten images, and with the next class in five."""
        alone = torch.eye(8, dtype=torch.bool).repeat(10, 1)
        pairs = (torch.eye(8, dtype=torch.bool) | torch.eye(8, dtype=torch.bool).roll(1, 1)).repeat(5, 1)
        return torch.cat([alone, pairs])

    def train(self, view: View, trainer: Trainer | None = None, holdout: Tensor | None = None) -> TrainedModel:
        del trainer, holdout
        self.trained.append(view)
        network = example_network(len(view.outputs), seed=self.seed + len(view.outputs))
        return TrainedModel(view, (network,), key=view.name)

    def logits(self, model: TrainedModel, images: Tensor) -> Tensor:
        """The right outputs are high; neighbours are taken for one another now and then."""
        targets = model.view.targets(self.labels[images]).float()
        noise = torch.rand(targets.shape, generator=torch.Generator().manual_seed(self.seed))
        return 3 * targets + targets.roll(1, 1) + noise
