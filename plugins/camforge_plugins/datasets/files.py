"""Reading image and mask files as data, with errors that name the file."""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from camforge.api import CamForgeError

SHOWN = 20  # problems told in one error
_DECODING = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


def read_image(path: Path, annotated: tuple[int, int] | None = None) -> Tensor:
    """(3, H, W) uint8 RGB of any file Pillow reads: EXIF rotation applied, alpha dropped, 16 bits scaled to 8.

    Where the annotation's (height, width) is that of the pixels as stored, its boxes belong to those: no rotation.
    Raises CamForgeError where the file is missing, cut short, no image, or a decompression bomb.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                stored = annotated == (file.height, file.width)
                image: Image.Image = file if stored else ImageOps.exif_transpose(file)
                if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion would clip it
                    image = Image.fromarray((np.asarray(image, dtype=np.uint32) >> 8).astype(np.uint8))
                pixels = np.array(image.convert("RGB"))
    except _DECODING as error:
        raise CamForgeError(f"{path}: cannot be read as an image ({_short(error)})") from None
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def read_mask(path: Path, size: tuple[int, int] | None = None) -> Tensor:
    """(H, W) uint8: the values of a palette or grey image as stored. ``size`` is its image's, where that is known.

    Raises CamForgeError where the file cannot be read, is no such image, or has another size.
    """
    try:
        with Image.open(path) as image:
            mode = image.mode
            values = np.array(image)
    except _DECODING as error:
        raise CamForgeError(f"{path}: cannot be read as a mask ({_short(error)})") from None
    if mode not in ("P", "L", "1"):
        raise CamForgeError(f"{path}: a mask holds one number of 8 bits per pixel, this is a {mode} image")
    if size is not None and size != values.shape:
        has = f"{values.shape[1]}x{values.shape[0]}"
        raise CamForgeError(f"{path}: the mask is {has}, its image {size[1]}x{size[0]}")
    return torch.from_numpy(values.astype(np.uint8))


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty. Raises CamForgeError where it is missing or no text."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except FileNotFoundError:
        raise CamForgeError(f"{path} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CamForgeError(f"{path}: cannot be read as text ({_short(error)})") from None


def refuse(what: str, problems: list[str]) -> None:
    """Raise one error with every problem, the first ``SHOWN`` of them in full."""
    if not problems:
        return
    shown = problems[:SHOWN] + ([f"… and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else [])
    raise CamForgeError(f"{what}: " + (shown[0] if len(problems) == 1 else "\n  ".join(["", *shown]).rstrip()))


def fingerprint(*parts: object, files: Iterable[Path] = ()) -> str:
    """A hash of options and of each file's name and size: the same on every machine that holds the same files."""
    hasher = hashlib.sha256(repr(parts).encode())
    for path in files:
        hasher.update(f"{path.name}:{path.stat().st_size if path.exists() else 'absent'};".encode())
    return hasher.hexdigest()[:16]


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
