"""What a segmentation network gains over the seeds that it learns from.

    camforge run seeds.py
    camforge export work/seeds --out seeds-train --threshold 0.5 --background 0.3
    camforge export work/seeds --out seeds-val --split val
    python segmentation_from_seeds.py seeds-train seeds-val

torchvision's LR-ASPP head on a MobileNetV2 learns from the palette PNGs of the training images: 255, not sure, does not
count. Printed is the mean IoU in percent over the background and the classes, of pixels counted over the whole split;
what the seeds' network did not see of a photograph, such as what a square crop leaves out, counts for neither. The
seeds know which classes an image shows; so the network stands there twice, without and with that knowledge. The seeds'
one threshold is the best of the training images.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate
from torchvision.models import mobilenet_v2
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.models.segmentation.lraspp import LRASPP

import camforge
from camforge.api import IGNORED, ImageSet, Sample, load_state_dict, read_state_dict

THRESHOLDS = torch.arange(0.05, 1, 0.05)
Segment = Callable[[Sample, int], Tensor]
"""An image and its place in the split -> label maps (T, h, w): 0 background, 1 + class."""


@dataclass(frozen=True)
class Exported:
    """A folder that ``camforge export`` wrote, beside the split of the data set that it was written of."""

    folder: Path
    images: ImageSet
    stems: dict[str, str]
    """The name of an image's files, by its id."""

    @classmethod
    def open(cls, folder: Path, split: Literal["train", "val"]) -> Exported:
        dataset = json.loads((folder / "manifest.json").read_text())["config"]["dataset"]
        written = json.loads((folder / "masks.json").read_text())["images"]
        stems = {image["file_name"]: image["stem"] for image in written}
        return cls(folder, camforge.build("dataset", dataset).open(split), stems)

    def mask(self, i: int) -> Tensor:
        """(h, w) uint8, 255 where the seeds are not sure."""
        return torch.from_numpy(np.array(Image.open(self._file("masks", i, "png"))))

    def seen(self, i: int) -> Tensor:
        """(h, w) bool: the rectangle that the seeds' network saw, which holds every pixel that they call anything."""
        called = self.mask(i) != IGNORED
        rows, columns = called.any(1).nonzero().flatten(), called.any(0).nonzero().flatten()
        seen = torch.zeros_like(called)
        if len(rows):
            seen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        return seen

    def thresholded(self, thresholds: Tensor) -> Segment:
        """The class of the highest map where that reaches the threshold, for each of T thresholds."""

        def segment(sample: Sample, i: int) -> Tensor:
            with np.load(self._file("confidence", i, "npz")) as held:
                scores, classes = torch.from_numpy(held["scores"]).float(), torch.from_numpy(held["classes"])
            if not len(scores):
                return torch.zeros(len(thresholds), *sample.image.shape[1:], dtype=torch.int64)
            top, owner = scores.max(0)
            return torch.where(top >= thresholds[:, None, None], 1 + classes[owner], 0)

        return segment

    def _file(self, kind: str, i: int, suffix: str) -> Path:
        return self.folder / kind / f"{self.stems[self.images.ids[i]]}.{suffix}"


def segmenter(classes: int, weights: str | None) -> LRASPP:
    """LR-ASPP on two stages of a MobileNetV2, which lie at strides 4 and 16; (B, 1 + classes, H, W) in "out"."""
    body = mobilenet_v2()
    if weights:
        load_state_dict(body, read_state_dict(weights), "classifier.1", weights, new_head=True)
    stages = create_feature_extractor(body, {"features.3": "low", "features.13": "high"})
    return LRASPP(stages, low_channels=24, high_channels=96, num_classes=1 + classes)


def squared(values: Tensor, size: int, mode: str) -> Tensor:
    """(C, h, w) uint8 -> (C, size, size) uint8."""
    exact = mode == "nearest"
    return interpolate(values[None].float(), (size, size), mode=mode, antialias=not exact)[0].round().byte()


def normalised(images: Tensor) -> Tensor:
    """ImageNet's mean and deviation."""
    mean, deviation = images.new_tensor([[123.675, 116.28, 103.53], [58.395, 57.12, 57.375]], dtype=torch.float)
    return (images.float() - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)


def train(
    model: LRASPP, seeds: Exported, size: int, epochs: int, device: str, backbone_rate: float, batch: int = 16
) -> None:
    """Cross entropy where the seeds are sure, AdamW in one cycle, mirrored at random.

    backbone_rate  the MobileNetV2's learning rate, as a share of the head's
    """
    count = len(seeds.images.ids)
    images = torch.stack([squared(seeds.images.load(i).image, size, "bilinear") for i in range(count)])
    masks = torch.stack([squared(seeds.mask(i)[None], size, "nearest")[0] for i in range(count)])
    parts = [part.parameters() for part in (model.backbone, model.classifier)]
    optimizer = torch.optim.AdamW([{"params": list(part)} for part in parts], weight_decay=1e-3)
    steps = epochs * -(-count // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [3e-3 * backbone_rate, 3e-3], total_steps=steps)
    model.train()
    for places in (part for _ in range(epochs) for part in torch.randperm(count).split(batch)):
        flip = torch.rand(len(places), 1, 1) < 0.5
        shown = torch.where(flip[:, None], images[places].flip(-1), images[places])
        wanted = torch.where(flip, masks[places].flip(-1), masks[places]).long().to(device)
        each = cross_entropy(model(normalised(shown.to(device)))["out"], wanted, ignore_index=IGNORED, reduction="sum")
        optimizer.zero_grad()
        (each / (wanted != IGNORED).sum().clamp(min=1)).backward()
        optimizer.step()
        schedule.step()


def network(model: nn.Module, size: int, device: str, told: bool) -> Segment:
    """What the network finds; ``told``: only classes that the image is said to show."""

    @torch.inference_mode()
    def segment(sample: Sample, _i: int) -> Tensor:
        image = normalised(squared(sample.image, size, "bilinear")[None].to(device))
        scores = interpolate(model(image)["out"].cpu(), sample.image.shape[1:], mode="bilinear")[0]
        if told:
            scores[1:][~sample.labels] = -torch.inf
        return scores.argmax(0)[None]

    model.eval()
    return segment


def mean_iou(segment: Segment, images: ImageSet, seen: Callable[[int], Tensor] | None = None) -> Tensor:
    """(T,) percent over the background and the classes, of all pixels whose truth is known, and that are ``seen``."""
    tables = sum(confusion for confusion in _confusions(segment, images, seen))
    both = tables.diagonal(dim1=1, dim2=2).double()
    union = tables.sum(1) + tables.sum(2) - both
    return 100 * (both / union.clamp(min=1)).sum(1) / (union > 0).sum(1)


def _confusions(segment: Segment, images: ImageSet, seen: Callable[[int], Tensor] | None) -> Iterator[Tensor]:
    """(T, outputs, outputs) pixels by truth and by what was found, image by image."""
    outputs = 1 + len(images.classes)
    for i in range(len(images.ids)):
        sample = images.load(i)
        if sample.mask is None:
            continue
        known = sample.mask != IGNORED
        if seen is not None:
            known &= seen(i)
        cells = outputs * sample.mask[known].long() + segment(sample, i)[:, known]
        yield torch.stack([row.bincount(minlength=outputs**2).view(outputs, outputs) for row in cells])


def main() -> dict[str, tuple[float, float]]:
    """Mean IoU on the training and on the validation images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, help="seeds of the training images")
    parser.add_argument("val", type=Path, help="seeds of the validation images")
    parser.add_argument("--weights", help="file of a MobileNetV2 for ImageNet; without it the network begins at random")
    parser.add_argument("--size", type=int, default=128, help="side of the square that the network sees")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    splits = [Exported.open(options.train, "train"), Exported.open(options.val, "val")]
    model = segmenter(len(splits[0].images.classes), options.weights).to(device)
    train(model, splits[0], options.size, options.epochs, device, 0.1 if options.weights else 1)
    best = int(mean_iou(splits[0].thresholded(THRESHOLDS), splits[0].images, splits[0].seen).argmax())
    rows = {
        f"seeds, threshold {float(THRESHOLDS[best]):.2f}": lambda split: split.thresholded(THRESHOLDS[best, None]),
        "network": lambda _: network(model, options.size, device, told=False),
        "network, told the classes": lambda _: network(model, options.size, device, told=True),
    }
    found = {name: tuple(float(mean_iou(row(s), s.images, s.seen)[0]) for s in splits) for name, row in rows.items()}
    print(f"{'mIoU in percent':28}{'train':>8}{'val':>8}")
    for name, values in found.items():
        print(f"{name:28}{values[0]:8.1f}{values[1]:8.1f}")
    return found


if __name__ == "__main__":
    main()
