"""The gallery's data: photographs, truth and maps, packed small enough for one page.

Per image one JSON object; its "data" is base64 of zlib over the mask and the maps, byte by byte, one after another.
Each is kept as its second differences (across, then down, modulo 256), which are near zero for smooth maps.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from camforge.maps import max_normalise, resize
from camforge.pictures import data_uri
from camforge.report.data import GalleryImage, ReportData
from camforge.types import CamForgeError

BUDGET = 28_000_000
"""Characters that the images of one page may take."""
SIZES = ((448, 224), (320, 160), (256, 112), (224, 80), (192, 56), (160, 40), (112, 28))
"""Longest side of the photograph with its mask, and of the maps, in pixels: from generous to frugal."""
FUSED = "fused"


@dataclass(frozen=True)
class Packed:
    """sources  (arm, step) that maps come from;  images  one JSON text per image;  sizes  the entry of SIZES taken"""

    sources: tuple[tuple[str, str], ...]
    images: tuple[str, ...]
    sizes: tuple[int, int]


def pack_gallery(report_data: ReportData, budget: int = BUDGET) -> Packed:
    """All images at the largest sizes that keep within ``budget``; raises CamForgeError where none does."""
    sources = tuple(dict.fromkeys(source for image in report_data.gallery for source, _, _ in _maps(image)))
    sample = report_data.gallery[:: max(1, len(report_data.gallery) // 8)]
    for sizes in SIZES:
        guess = sum(len(_pack(image, sources, sizes)) for image in sample) * len(report_data.gallery)
        if guess > 1.1 * budget * len(sample):
            continue
        images = tuple(_pack(image, sources, sizes) for image in report_data.gallery)
        if sum(map(len, images)) <= budget:
            return Packed(sources, images, sizes)
    raise CamForgeError(f"{len(report_data.gallery)} images do not fit a page of {budget / 1e6:.0f} MB: show fewer")


def quantise(values: Tensor, longest: int) -> Tensor:
    """(h, w) raw map -> (h', w') uint8: made smaller by averaging where a side exceeds ``longest``, ReLU, 255 = max."""
    small = shrink(values.float(), longest)
    return (max_normalise(small) * 255).round().to(torch.uint8)


def compress(planes: Sequence[Tensor]) -> str:
    """(h, w) uint8 planes of any sizes -> base64 text."""
    return base64.b64encode(zlib.compress(b"".join(map(_differences, planes)))).decode()


def _pack(image: GalleryImage, sources: Sequence[tuple[str, str]], sizes: tuple[int, int]) -> str:
    picture = shrink(image.image.float(), sizes[0]).round().to(torch.uint8)
    height, width = picture.shape[-2:]
    scale = torch.tensor([width / image.image.shape[2], height / image.image.shape[1]]).repeat(2)
    planes, entries = [], []
    if image.mask is not None:
        planes.append(interpolate(image.mask[None, None].float(), (height, width), mode="nearest")[0, 0].byte())
    for source, label, values in _maps(image):
        raw = _finite(values, image.id, source[0])
        # rectified before it is enlarged a signed map would grow: the page enlarges only what holds no negatives
        planes.append(quantise(resize(raw, (height, width)) if raw.min() < 0 else raw, sizes[1]))
        entries.append([sources.index(source), label, *reversed(planes[-1].shape)])
    return json.dumps({
        "id": image.id, "width": width, "height": height, "picture": data_uri(picture),
        "labels": image.labels.nonzero().flatten().tolist(), "mask": image.mask is not None, "maps": entries,
        "boxes": [[round(x, 2) for x in box] for box in (image.boxes * scale).tolist()],
        "boxClasses": image.box_classes.tolist(), "data": compress(planes),
    }, separators=(",", ":"))  # fmt: skip


def _maps(image: GalleryImage) -> Iterator[tuple[tuple[str, str], int, Tensor]]:
    for arm, maps in image.maps.items():
        yield from (((arm, FUSED), label, values) for label, values in maps.items())
    for arm, steps in image.before_fusion.items():
        for step, maps in steps.items():
            yield from (((arm, step), label, values) for label, values in maps.items())


def shrink(image: Tensor, longest: int) -> Tensor:
    """(…, H, W) with the longer side at most ``longest``; each new pixel is the mean of those it covers."""
    height, width = image.shape[-2:]
    if max(height, width) <= longest:
        return image
    size = [max(1, round(side * longest / max(height, width))) for side in (height, width)]
    return interpolate(image.reshape(1, -1, height, width), size, mode="area").reshape(*image.shape[:-2], *size)


def _differences(plane: Tensor) -> bytes:
    across = torch.diff(plane.int(), dim=1, prepend=torch.zeros(plane.shape[0], 1, dtype=torch.int))
    down = torch.diff(across, dim=0, prepend=torch.zeros(1, plane.shape[1], dtype=torch.int))
    return (down % 256).to(torch.uint8).numpy().tobytes()


def _finite(values: Tensor, image: str, arm: str) -> Tensor:
    if not torch.isfinite(values).all():
        raise CamForgeError(f"map of arm {arm!r} over image {image!r}: holds values that are not finite numbers")
    return values
