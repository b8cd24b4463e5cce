"""Image files as pixels: what a decoder makes of a stranger's file, or an error that names the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from camforge.types import CamForgeError

FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Pillow's readers that a file is tried with: photographs need no more, and some others start programs (EPS)."""


def read_image(path: Path, annotated: tuple[int, int] | None = None) -> Tensor:
    """(3, H, W) uint8 RGB of an image file: EXIF rotation applied, alpha dropped, 16 bits scaled to 8, first frame.

    Where the annotation's (height, width) is that of the pixels as stored, its boxes belong to those: no rotation.
    Raises CamForgeError where the file is missing, cut short, no image, or a decompression bomb.
    """
    with _opened(path, "an image") as file:
        stored = annotated == (file.height, file.width)
        image: Image.Image = file if stored else ImageOps.exif_transpose(file)
        if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip it
            deep = np.asarray(image).astype(np.int64).clip(0, 65535)
            image = Image.fromarray((deep >> 8).astype(np.uint8))
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def read_mask(path: Path, size: tuple[int, int] | None = None) -> Tensor:
    """(H, W) uint8: the values of a palette or grey image as stored. ``size`` is its image's, where that is known.

    Raises CamForgeError where the file cannot be read, is no such image, or has another size.
    """
    with _opened(path, "a mask") as image:
        mode = image.mode
        values = np.array(image)
    if mode not in ("P", "L", "1"):
        raise CamForgeError(f"{path}: a mask holds one number of 8 bits per pixel, this is a {mode} image")
    if size is not None and size != values.shape:
        has = f"{values.shape[1]}x{values.shape[0]}"
        raise CamForgeError(f"{path}: the mask is {has}, its image {size[1]}x{size[0]}")
    return torch.from_numpy(values.astype(np.uint8))


@contextmanager
def _opened(path: Path, what: str) -> Iterator[Image.Image]:
    """The file, open; whatever a decoder does not like inside the block is one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as file:
                yield file
    except Exception as error:  # a damaged file takes a decoder anywhere
        raise CamForgeError(f"{path}: cannot be read as {what} ({_short(error)})") from None


def _short(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said.splitlines()[0][:120]
