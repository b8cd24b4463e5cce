"""Image files as pixels: what a decoder makes of a stranger's file, or an error that names the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg

from camforge.types import CamForgeError

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's readers that a file is tried with: photographs need no more, and some others start programs (EPS)."""
PHONES = {".heic", ".heif"}
FRAME_HEADERS = {0xC0, 0xC1, 0xC2}
"""The markers of a JPEG's size: baseline, extended and progressive; the other kinds are left to Pillow."""


_decoder: torch.device | None = None


@contextmanager
def decoding_on(device: torch.device | None) -> Iterator[None]:
    """Inside the block torchvision decodes JPEGs on a device, by nvJPEG on a GPU, for every thread; there they lie.

    What it does not take, and what is to be rotated, is decoded as without it.
    """
    global _decoder
    before, _decoder = _decoder, device
    try:
        yield
    finally:
        _decoder = before


def read_image(path: Path, annotated: tuple[int, int] | None = None) -> Tensor:
    """(3, H, W) uint8 RGB of an image file: EXIF rotation applied, alpha dropped, first frame, 16 bits scaled to 8.

    The colours of a pixel lie side by side in memory (``channels_last``), as decoders write them and resizing is quick.
    Numbers other than bytes: floats are 0 to 1, or 0 to 255 where one is above 1; anything else is refused.
    Where the annotation's (height, width) is that of the pixels as stored, its boxes belong to those: no rotation.
    Raises CamForgeError where the file is missing, cut short, no image, or a decompression bomb.
    """
    with _told(path, "an image"):
        image = _jpeg(path.read_bytes(), annotated)
        return _by_pillow(path, annotated) if image is None else image


def _jpeg(data: bytes, annotated: tuple[int, int] | None) -> Tensor | None:
    """A whole photograph as almost all are, in half of Pillow's time; None: the others are for Pillow to judge."""
    size = _jpeg_size(data)
    if size is None or size[0] * size[1] > (Image.MAX_IMAGE_PIXELS or 0) or b"tiff:Orientation" in data:
        return None
    if _decoder is not None and b"Exif\0" not in data:
        with suppress(RuntimeError):
            decoded: Tensor = decode_jpeg(
                torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB, _decoder
            )
            return decoded
    turn = cv2.IMREAD_IGNORE_ORIENTATION if annotated == size else 0
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | turn)
    return None if pixels is None else torch.from_numpy(pixels).permute(2, 0, 1)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) of a JPEG of 8 bits in grey or YCbCr that has an end, by its frame header (ITU-T T.81, B.2.2)."""
    place = 2
    while data[:2] == b"\xff\xd8" and place + 10 <= len(data) and data[place] == 0xFF:
        if data[place + 1] in FRAME_HEADERS:
            bits, components = data[place + 4], data[place + 9]
            size = int.from_bytes(data[place + 5 : place + 7]), int.from_bytes(data[place + 7 : place + 9])
            whole = data.rfind(b"\xff\xd9") > place
            return size if whole and bits == 8 and components in (1, 3) and min(size) > 0 else None
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return None


def _by_pillow(path: Path, annotated: tuple[int, int] | None) -> Tensor:
    with _opened(path) as file:
        stored = annotated == (file.height, file.width)
        image: Image.Image = file if stored else ImageOps.exif_transpose(file)
        if image.mode[0] in "IF":  # one number a pixel: Pillow's own conversion would clip it
            image = Image.fromarray(_as_bytes(np.asarray(image)))
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _as_bytes(values: np.ndarray) -> np.ndarray:
    """Grey values as bytes: integers are of 16 bits, floats are 0-1 or 0-255."""
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        if not (low >= 0 and high <= 255):  # NaN is refused too
            raise ValueError(f"float values from {low:g} to {high:g}, neither 0-1 nor 0-255")
        return np.asarray(np.rint(values * (255 if high <= 1 else 1)), np.uint8)
    if 0 < high < 256:  # it would be black without a word
        raise ValueError(f"a 16-bit image with values up to {high} only: its white is unknown, 255 or 65535")
    return np.asarray(values.astype(np.int64).clip(0, 65535) >> 8, np.uint8)


def read_mask(path: Path, size: tuple[int, int] | None = None) -> Tensor:
    """(H, W) uint8: the values of a palette or grey image as stored. ``size`` is its image's, where that is known.

    Raises CamForgeError where the file cannot be read, is not such an image, or has another size.
    """
    with _told(path, "a mask"), _opened(path) as image:
        mode = image.mode
        values = np.array(image)
    if mode not in ("P", "L", "1"):
        raise CamForgeError(f"{path}: a mask holds one number of 8 bits per pixel, this is a {mode} image")
    if size is not None and size != values.shape:
        has = f"{values.shape[1]}x{values.shape[0]}"
        raise CamForgeError(f"{path}: the mask is {has}, its image {size[1]}x{size[0]}")
    return torch.from_numpy(values.astype(np.uint8))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    formats = FORMATS if path.suffix.lower() not in PHONES else (*FORMATS, *_phone_formats())
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=formats) as file:
            yield file


def _phone_formats() -> tuple[str, ...]:
    """Pillow's name of HEIC, once it can read it."""
    if find_spec("pillow_heif") is None:
        raise ValueError("HEIC needs the package pillow-heif: pip install camforge[heic]")
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return ("HEIF",)


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """Whatever a decoder does not like inside the block is one line that names the file."""
    try:
        yield
    except Exception as error:  # a damaged file takes a decoder anywhere
        raise CamForgeError(f"{path}: cannot be read as {what} ({_short(error)})") from None


def _short(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"in none of the formats {', '.join(FORMATS)}"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said.splitlines()[0][:120]
