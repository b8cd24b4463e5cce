"""Pictures: heat maps over photographs, sheets of captioned tiles, and their way into files and pages."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from camforge.files import write_atomically
from camforge.maps import max_normalise, resize
from camforge.types import CamForgeError

FORMATS: Mapping[str, tuple[str, dict[str, object]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 92}),
    ".jpeg": ("JPEG", {"quality": 92}),
    ".webp": ("WEBP", {"quality": 82, "method": 4}),
}
OPACITY = 0.6  # of the hottest pixel: the photograph stays readable under it
MARGIN, CAPTION, FONT = 8, 24, 14  # pixels of a sheet
TILE = 160  # pixels of a small map's side
SIGNED_OPACITY = 0.85  # of the largest value
FOR, AGAINST = (180, 4, 38), (59, 76, 192)  # the ends of Moreland's cool and warm colours
PAPER, INK = (250, 248, 244), (36, 33, 30)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that a notebook shows. ``pixels`` (3, H, W) uint8, RGB."""

    pixels: Tensor

    def _repr_png_(self) -> bytes:
        return encode(self.pixels, ".png")

    def save(self, path: str | Path) -> Path:
        """Write a .png, .jpg or .webp file."""
        return save(path, self.pixels)


@cache
def heat_colours() -> Tensor:
    """(256, 3) uint8: Turbo (Mikhailov 2019), dark blue at 0 through green to red at 255."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return torch.from_numpy(cv2.applyColorMap(ramp, cv2.COLORMAP_TURBO)[:, 0, ::-1].copy())


def overlay(image: Tensor, values: Tensor, opacity: float = OPACITY) -> Tensor:
    """(3, H, W) uint8 photograph and (h, w) raw map -> (3, H, W) uint8.

    The map is resized, rectified and max-normalised; a pixel's colour and its opacity both grow with its value, so
    that where the map is zero the photograph shows as it is.
    """
    heat = max_normalise(resize(values.float(), image.shape[-2:]))
    colours = heat_colours()[(heat * 255).round().long()].permute(2, 0, 1).float()
    cover = opacity * (2 * heat).clamp(max=1)  # full cover from half of the maximum on
    return torch.lerp(image.float(), colours, cover.expand_as(colours)).round().to(torch.uint8)


def signed_overlay(image: Tensor, values: Tensor, opacity: float = SIGNED_OPACITY) -> Tensor:
    """(3, H, W) uint8 photograph and (h, w) raw map -> (3, H, W) uint8: red speaks for, blue against what is explained.

    Both sides share one scale, the largest absolute value. A map without negative values is drawn as ``overlay`` does.
    """
    if not bool((values < 0).any()):
        return overlay(image, values)
    heat = resize(values.float(), image.shape[-2:])
    share = heat / heat.abs().max().clamp(min=torch.finfo(torch.float32).tiny)
    colours = share.new_tensor([FOR, AGAINST])[(share <= 0).long()].permute(2, 0, 1)
    cover = opacity * share.abs()  # one colour a side: its strength is all that tells how much
    return torch.lerp(image.float(), colours, cover.expand_as(colours)).round().to(torch.uint8)


def sheet(rows: Sequence[Sequence[tuple[str, Tensor]]]) -> Tensor:
    """Rows of (caption, (3, h, w) uint8) -> one picture (3, H, W) uint8; captions that are too long are cut."""
    width = max(sum(tile.shape[2] + MARGIN for _, tile in row) for row in rows) + MARGIN
    heights = [max(tile.shape[1] for _, tile in row) + CAPTION + MARGIN for row in rows]
    canvas = Image.new("RGB", (width, sum(heights) + MARGIN), PAPER)
    top = MARGIN
    for row, height in zip(rows, heights, strict=True):
        left = MARGIN
        for caption, tile in row:
            canvas.paste(_to_pil(tile), (left, top + CAPTION))
            _write(canvas, caption, (left, top), tile.shape[2])
            left += tile.shape[2] + MARGIN
        top += height
    return torch.from_numpy(np.array(canvas)).permute(2, 0, 1)


def enlarged(tile: Tensor) -> Tensor:
    """Small tiles in whole multiples, so that a map of 16 pixels can be seen."""
    factor = max(1, TILE // max(tile.shape[-2:]))
    return interpolate(tile[None], scale_factor=factor, mode="nearest-exact")[0]


def encode(image: Tensor, suffix: str = ".webp") -> bytes:
    """(3, H, W) or (H, W) uint8 -> the bytes of a file; ``suffix`` is one of ``FORMATS``."""
    if suffix.lower() not in FORMATS:
        raise CamForgeError(f"picture format {suffix!r}: allowed are {', '.join(FORMATS)}")
    name, options = FORMATS[suffix.lower()]
    buffer = BytesIO()
    _to_pil(image).save(buffer, name, **options)
    return buffer.getvalue()


def save(path: Path | str, image: Tensor) -> Path:
    """Write a (3, H, W) or (H, W) uint8 picture in the format of the path's suffix."""
    return write_atomically(path, encode(image, Path(path).suffix))


def save_overlay(path: Path | str, image: Tensor, values: Tensor) -> Path:
    """Write ``overlay(image, values)``."""
    return save(path, overlay(image, values))


def data_uri(image: Tensor, suffix: str = ".webp") -> str:
    """The picture as a ``data:`` address, for pages that load nothing from elsewhere."""
    kind = FORMATS[suffix][0].lower()
    return f"data:image/{kind};base64,{base64.b64encode(encode(image, suffix)).decode()}"


def _to_pil(image: Tensor) -> Image.Image:
    return Image.fromarray((image if image.ndim == 2 else image.permute(1, 2, 0)).contiguous().numpy())


def _write(canvas: Image.Image, text: str, place: tuple[int, int], width: int) -> None:
    font = ImageFont.load_default(FONT)
    shown = text
    while shown and font.getlength(shown) > width:
        text = text[:-1]
        shown = text + "…" if text else ""
    ImageDraw.Draw(canvas).text(place, shown, fill=INK, font=font)
