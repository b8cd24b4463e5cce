"""Reading image and mask files as data, with errors that name the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from camforge.api import CamForgeError

SHOWN = 20  # problems told in one error
_DECODING = (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError)


def read_image(path: Path) -> Tensor:
    """(3, H, W) uint8 RGB of any file Pillow reads: EXIF rotation applied, alpha dropped, 16 bits scaled to 8."""
    try:
        with Image.open(path) as image:
            image = ImageOps.exif_transpose(image)
            if image.mode in ("I", "I;16", "I;16B", "I;16L"):
                image = Image.fromarray((np.asarray(image, dtype=np.uint32) >> 8).astype(np.uint8))
            pixels = np.array(image.convert("RGB"))
    except _DECODING as error:
        raise CamForgeError(f"{path}: cannot be read as an image ({_short(error)})") from None
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def read_mask(path: Path, size: tuple[int, int]) -> Tensor:
    """(H, W) uint8: the values of a palette or grey PNG as stored. ``size`` is the image's, or it is an error."""
    try:
        with Image.open(path) as image:
            values = np.array(image if image.mode in ("P", "L") else image.convert("L"))
    except _DECODING as error:
        raise CamForgeError(f"{path}: cannot be read as a mask ({_short(error)})") from None
    if values.shape != size:
        has = f"{values.shape[1]}x{values.shape[0]}"
        raise CamForgeError(f"{path}: the mask is {has}, its image {size[1]}x{size[0]}")
    return torch.from_numpy(values)


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
        hasher.update(f"{path.name}:{path.stat().st_size};".encode())
    return hasher.hexdigest()[:16]


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
