"""One geometry for images, masks and boxes: from a photograph to the network's square and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from camforge.maps import resize
from camforge.types import CamForgeError, Sample

NARROWEST = 50  # an image whose sides differ more than this many times would be resized to gigabytes


@dataclass(frozen=True)
class Geometry:
    """Short side to ``size`` and the centre of it ("crop"), or both sides to ``size`` ("squash"); then mean and std.

    size  a square's side, or (height, width), which only "squash" makes
    """

    size: int | tuple[int, int]
    fit: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of what the network sees."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    @property
    def area(self) -> int:
        """In pixels."""
        return self.sides[0] * self.sides[1]

    def place(self, sample: Sample) -> Sample:
        """The sample in a square of ``size`` pixels. Boxes are clipped; those that leave the square are dropped."""
        size = tuple(sample.image.shape[-2:])
        if self.fit == "crop" and max(size) > NARROWEST * min(size):
            raise CamForgeError(f"image {sample.id!r} is {size[1]}x{size[0]}: too narrow for a square crop")
        boxes, classes = sample.boxes.float(), sample.box_classes
        if len(boxes):
            fitted = self._fit(tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size))
            boxes = functional.clamp_bounding_boxes(fitted).as_subclass(Tensor)
            inside = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) > 0
            boxes, classes = boxes[inside], classes[inside]
        mask, parts = (self._fit_values(values) for values in (sample.mask, sample.parts))
        image = self._fit(sample.image)
        return replace(sample, image=image, mask=mask, parts=parts, boxes=boxes, box_classes=classes)

    def _fit(self, values: Tensor) -> Tensor:
        """An image (3, H, W), mask (1, H, W) or boxes, by their class as torchvision tells them apart."""
        sides = list(self.sides)
        least = sides if self.fit == "squash" else sides[:1]
        square: Tensor = functional.center_crop(functional.resize(values, least, antialias=True), sides)
        return square

    def _fit_values(self, values: Tensor | None) -> Tensor | None:
        """(H, W) class numbers: the nearest pixel's, never a mean."""
        return None if values is None else self._fit(tv_tensors.Mask(values[None])).as_subclass(Tensor)[0]

    def back(self, maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Maps (P, size, size) of one image -> (P, h, w) as the image lies in its file, and (h, w) bool: what was seen.

        What a crop cut off was not seen; there the maps are zero, and up to it they do not fade.
        """
        if self.fit == "squash":
            return resize(maps, size), torch.ones(size, dtype=torch.bool, device=maps.device)
        short, own = min(size), self.sides[0]
        height, width = (own if side == short else int(own * side / short) for side in size)
        top, left = round((height - own) / 2), round((width - own) / 2)
        around = (left, width - own - left, top, height - own - top)
        inside = resize(pad(maps.new_ones(1, own, own), around), size)[0] > 0.5
        wide = pad(maps, around, mode="replicate") if len(maps) else maps.new_zeros(0, height, width)
        return resize(wide, size) * inside, inside

    def normalise(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 -> float32 with the mean and standard deviation taken out."""
        mean, std = (torch.tensor(v).to(pixels.device, non_blocking=True) for v in (self.mean, self.std))
        values = pixels.to(torch.float32, copy=True)  # in place from here: fresh memory costs more than the arithmetic
        return values.div_(255).sub_(mean[:, None, None]).div_(std[:, None, None])


def random_crop(pixels: Tensor, size: int, of: int | None = None, mine: slice = slice(None)) -> Tensor:
    """(B, C, H, W) -> (B, C, size, size): each image's own place, drawn from torch's generator.

    of, mine    where the images are a share of a batch of ``of``: places are drawn for all of them
    """
    batch, channels, height, width = pixels.shape
    drawn = (torch.randint(0, side - size + 1, (of or batch, 1))[mine] for side in (height, width))
    device = pixels.device
    top, left = (corner.to(device, non_blocking=True) + torch.arange(size, device=device) for corner in drawn)
    image, channel = (torch.arange(n, device=device) for n in (batch, channels))
    image, channel = image[:, None, None, None], channel[None, :, None, None]
    return pixels[image, channel, top[:, None, :, None], left[:, None, None, :]]
