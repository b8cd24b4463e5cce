"""Images as people have them: what is a photograph, to be prepared for the model, and what is the model's input."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from camforge.capture.structures import images_key
from camforge.data.decoding import read_image
from camforge.types import CamForgeError

SUFFIXES = (
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff",
    ".webp",
)  # fmt: skip
"""What a folder is searched for."""
MANIFEST = "explanation.json"
"""What lists the files of a folder that ``camforge explain`` or ``Explanation.save`` wrote."""
_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class InputWarning(UserWarning):
    """Numbers that no normalised photograph has."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """One photograph: a file, decoded when it is needed, or its pixels (3, h, w) uint8."""

    name: str
    source: Path | Tensor

    def pixels(self) -> Tensor:
        """(3, h, w) uint8, upright. Raises CamForgeError where the file cannot be read."""
        return read_image(self.source) if isinstance(self.source, Path) else self.source


def photographs_of(images: object, recursive: bool = False) -> list[Photograph] | None:
    """The photographs that ``images`` are, or None where they are inputs of the model as they stand.

    Photographs are paths, folders, PIL images, and arrays and tensors of uint8 (or NumPy floats with the colours last),
    one, a batch or a list of them. recursive: also those in sub-folders; else an InputWarning counts them.
    Raises CamForgeError where a file is missing or an array has no meaning as one.
    """
    if isinstance(images, str | Path):
        return _files(Path(images), recursive)
    if isinstance(images, Image.Image):
        return [Photograph("image 0", _from_pil(images))]
    if isinstance(images, np.ndarray | Tensor) and images.ndim == 4 and _is_pixels(images):
        images = list(images)
    if isinstance(images, np.ndarray | Tensor):
        return [Photograph("image 0", _from_array(images))] if _is_pixels(images) else None
    if isinstance(images, Sequence) and images and all(map(_is_photograph, images)):
        return [photograph for i, image in enumerate(images) for photograph in _one(image, i, recursive)]
    return None


def model_input(model: nn.Module, images: Any) -> Any:
    """What the model is given: tensors in its type of numbers; one image without a batch axis becomes a batch of one.

    A tuple is the inputs of a model of several and a mapping its inputs by name: of both only the images are changed.
    Warns of values such as 0 to 255, which no normalised photograph has.
    """
    if isinstance(images, tuple):
        return (model_input(model, images[0]), *images[1:]) if images else images
    if isinstance(images, Mapping):
        named = {key: torch.as_tensor(v) if isinstance(v, np.ndarray) else v for key, v in images.items()}
        return named | {(key := images_key(named)): model_input(model, named[key])}
    if isinstance(images, np.ndarray):
        images = torch.from_numpy(np.ascontiguousarray(images))
    if isinstance(images, list):
        images = _stacked(images)
    if not isinstance(images, Tensor):
        return images
    images = _with_batch(model, images)
    own = next((p.dtype for p in model.parameters() if p.is_floating_point()), images.dtype)
    if images.is_floating_point() and images.dtype != own:
        images = images.to(own)
    if images.dim() == 4 and images.shape[1] in (1, 3) and images.numel():
        low, high = float(images.detach().min()), float(images.detach().max())
        if low >= 0 and high > 16:
            said = f"the images reach {high:g}: the model sees them as they are; normalise them, or give them as uint8"
            warnings.warn(said, InputWarning, stacklevel=4)
    return images


def _files(path: Path, recursive: bool) -> list[Photograph]:
    if not path.exists():
        raise CamForgeError(f"no such file: {path}")
    if path.is_file():
        return [Photograph(path.name, path)]
    found = sorted(filter(_is_file_of_photograph, path.iterdir()))
    below = _below(path)
    if not found and not (below and recursive):
        but = f", but its sub-folders hold {len(below)}" if below else f" ({', '.join(SUFFIXES)})"
        raise CamForgeError(f"{path}: the folder holds no photographs{but}")
    if below and not recursive:
        warnings.warn(f"{path}: photographs in sub-folders are left out ({len(below)})", InputWarning, stacklevel=4)
    return [Photograph(file.relative_to(path).as_posix(), file) for file in found + below * recursive]


def _is_file_of_photograph(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _below(folder: Path) -> list[Path]:
    """Photographs in sub-folders; hidden folders, and those that ``camforge explain`` wrote, hold none."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        at = Path(place)
        folders[:] = sorted(
            name for name in folders if not name.startswith((".", "__MACOSX")) and not _is_ours(at / name)
        )
        found += [] if at == folder else sorted(filter(_is_file_of_photograph, (at / name for name in names)))
    return found


def _is_ours(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def _one(image: Any, index: int, recursive: bool) -> list[Photograph]:
    found = photographs_of(image, recursive) or []
    return found if isinstance(image, str | Path) else [Photograph(f"image {index}", p.source) for p in found]


def _is_photograph(image: object) -> bool:
    return isinstance(image, str | Path | Image.Image) or (isinstance(image, np.ndarray | Tensor) and _is_pixels(image))


def _is_pixels(image: np.ndarray | Tensor) -> bool:
    """uint8 of any layout; NumPy's 16 bits and floats where the colours come last, as image libraries return them."""
    if isinstance(image, Tensor):
        return image.dtype == torch.uint8 and image.ndim in (2, 3, 4)
    colours_last = image.ndim in (3, 4) and image.shape[-1] in (3, 4)
    return (image.dtype == np.uint8 and image.ndim in (2, 3, 4)) or (
        colours_last and image.dtype.kind in "uf" and image.shape[-3] > 4
    )


def _from_pil(image: Image.Image) -> Tensor:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):
        return _from_array(np.asarray(upright))
    return torch.from_numpy(np.array(upright.convert("RGB"))).permute(2, 0, 1).contiguous()


def _from_array(image: np.ndarray | Tensor) -> Tensor:
    """-> (3, h, w) uint8: colours first or last, grey or with alpha, 8 or 16 bits, floats of 0 to 1 or 0 to 255."""
    values = image.detach().cpu() if isinstance(image, Tensor) else torch.from_numpy(_as_bytes(image))
    if values.dim() == 2:
        values = values[None]
    last, first = values.shape[-1] in (1, 3, 4), values.shape[0] in (1, 3, 4)
    if not (last or first) or 0 in values.shape:
        raise CamForgeError(f"an image of shape {tuple(values.shape)}: give (h, w, 3), (3, h, w) or (h, w)")
    if last and not (first and isinstance(image, Tensor)):
        values = values.permute(2, 0, 1)
    return values[:1].expand(3, -1, -1).contiguous() if values.shape[0] == 1 else values[:3].contiguous()


def _as_bytes(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8:
        return np.array(image)
    if image.dtype.kind in "ui":
        return (image.clip(0, 65535).astype(np.int64) >> 8).astype(np.uint8)
    low, high = float(image.min()), float(image.max())
    if not (low >= 0 and high <= 255):
        raise CamForgeError(f"an image of floats from {low:g} to {high:g}: a photograph has 0 to 1, or 0 to 255")
    if high > 1:
        warnings.warn(f"an image of floats up to {high:g} is read as 0 to 255", InputWarning, stacklevel=2)
    scaled: np.ndarray = np.rint(image * (1 if high > 1 else 255)).astype(np.uint8)
    return scaled


def _stacked(images: list[Any]) -> Any:
    """Tensors and arrays of one size as a batch."""
    if not images or not all(isinstance(image, np.ndarray | Tensor) for image in images):
        kinds = ", ".join(sorted({type(image).__name__ for image in images}))
        raise CamForgeError(f"a list of {kinds or 'nothing'}: give photographs, or tensors of one size")
    tensors = [torch.as_tensor(image) for image in images]
    if len({tensor.shape for tensor in tensors}) > 1:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors[:3])
        raise CamForgeError(
            f"tensors of different sizes ({shapes}, …) cannot be one batch: give them one by one, or as uint8"
        )
    return torch.stack(tensors)


def _with_batch(model: nn.Module, images: Tensor) -> Tensor:
    """(3, H, W) -> (1, 3, H, W) where the model's convolutions say that the batch axis is missing."""
    convolutions = [m for m in model.modules() if isinstance(m, tuple(_CONVOLUTIONS.values()))]
    axes = {n for n, kind in _CONVOLUTIONS.items() if any(isinstance(m, kind) for m in convolutions)}
    if len(axes) != 1 or max(axes) + 1 != images.dim():
        return images
    if not any(m.in_channels == images.shape[0] for m in convolutions):  # spectrograms (B, t, f), for one
        raise CamForgeError(
            f"images of shape {tuple(images.shape)} have no channels, or no batch, for {max(axes)}-D convolutions: if "
            "the model adds the channels by itself, wrap it in a module that takes (B, 1, …) and hands on images[:, 0]"
        )
    return images[None]
