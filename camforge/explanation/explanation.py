"""What explain() returns: maps with what they explain, to look at, to save, to make seeds of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from camforge.explanation.drawing import comparison
from camforge.explanation.inputs import Photograph
from camforge.explanation.placement import Placement
from camforge.explanation.saving import save_explanation
from camforge.maps import max_normalise
from camforge.pictures import Picture
from camforge.types import CamForgeError


@dataclass(frozen=True, eq=False)
class Explanation:
    """One map per (image, target) pair: image by image, and of each image in the order of its targets.

    maps     (P, H, W), raw, signed as the method defines them; (P, *size) for signals (one axis) and volumes (three)
    images   (P,) int64, the pair's image in the batch
    targets  (P,) int64, the explained output; -1 where a function of the logits was explained
    logits   (N, K), the outputs of every image
    layers   paths of the modules that were read
    method   the extractor's name with the options that differ from their defaults
    model    what the model is called;  labels  (P) what each pair's target is called

    Where photographs were explained, ``photographs`` are they, and the maps lie in their own pixels, ``sizes`` (N) of
    (h, w), each in the upper left corner of the largest; ``of`` cuts them out. Maps of ``size="input"`` lie in what the
    model was given, and ``placements`` (N) say where that is in the photographs.
    """

    maps: Tensor
    images: Tensor
    targets: Tensor
    logits: Tensor
    layers: tuple[str, ...]
    method: str
    model: str = ""
    labels: tuple[str, ...] = ()
    photographs: tuple[Photograph, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    placements: tuple[Placement, ...] = ()

    def __len__(self) -> int:
        return self.maps.shape[0]

    def of(self, image: int) -> Tensor:
        """(T, H, W): the maps of one image, in the order of its targets; (T, h, w) at a photograph's own size.

        Raises CamForgeError for no such image.
        """
        count = self.logits.shape[0]
        if not 0 <= image < count:
            raise CamForgeError(f"image {image}: the explanation has images 0 to {count - 1}")
        maps = self.maps[self.images == image]
        return maps[:, : self.sizes[image][0], : self.sizes[image][1]] if self.sizes else maps

    def over(self, image: int) -> Tensor:
        """(T, h, w): the maps of one image as they lie over its photograph, whatever size they were asked for in."""
        return self.placements[image].bring_back(self.of(image)) if self.placements else self.of(image)

    def label(self, pair: int) -> str:
        """What the target of a pair is called: its class, its function's name, or "output 3"."""
        target = int(self.targets[pair])
        return self.labels[pair] if self.labels else "function" if target < 0 else f"output {target}"

    def masks(self, threshold: float) -> Tensor:
        """(P, H, W) bool: where a map, without its negative values and divided by its maximum, reaches ``threshold``.

        threshold  0 to 1. A map without a positive value has an empty mask.
        """
        if not 0 <= threshold <= 1:
            raise CamForgeError(f"threshold {threshold}: allowed are 0 to 1, a share of each map's maximum")
        heat = max_normalise(self.maps.detach(), self.maps.dim() - 1)
        return (heat >= threshold) & (heat > 0)

    def boxes(self, threshold: float) -> Tensor:
        """(P, 4) float32: x0, y0, x1, y1 around the largest connected part of each mask, x1 and y1 exclusive.

        In pixels of the maps; touching at a corner connects. An empty mask has a box of zeros. Signals have (P, 2),
        volumes (P, 6): the starts along the axes, the last axis first, then the ends.
        """
        return _largest_boxes(self.masks(threshold))

    def image_name(self, image: int) -> str:
        """The photograph's file name, or "image 0"."""
        return self.photographs[image].name if self.photographs else f"image {image}"

    def pictures(self, photographs: Tensor | None = None) -> list[Tensor]:
        """(3, h, w) uint8 of each image: the photographs that were explained, or those given for tensors.

        Raises CamForgeError where there are none, or their number is not that of the images.
        """
        if photographs is None and not self.photographs:
            raise CamForgeError("tensors were explained: give the photographs, (N, 3, h, w) uint8, to show maps over")
        if photographs is None:
            return [photograph.pixels() for photograph in self.photographs]
        pictures = list((photographs[None] if photographs.dim() == 3 else photographs).cpu())
        if len(pictures) != len(self.logits):
            raise CamForgeError(f"{self.method} explains {len(self.logits)} images; photographs: {len(pictures)}")
        return pictures

    def show(self, photographs: Tensor | None = None) -> Picture:
        """One row per image: the photograph and its maps over it. A notebook shows what comes back.

        photographs  (N, 3, h, w) uint8, or one (3, h, w), as the network saw them, at any size; None: those explained
        """
        return comparison({self.method: self}, photographs)

    def _repr_png_(self) -> bytes | None:
        return self.show()._repr_png_() if self.photographs else None

    def save(self, folder: str | Path, photographs: Tensor | None = None, threshold: float = 0.15) -> Path:
        """Write a folder: of each map its raw values (.npy), its mask and, over the photographs, a picture (.png).

        ``explanation.json`` names model, method and layers, and of each map image, target, label, logit, box and files.
        The files of an earlier explanation in the folder are overwritten where they have the same names.
        """
        return save_explanation(self, Path(folder), photographs, threshold)


def _largest_boxes(masks: Tensor) -> Tensor:
    """(P, *size) bool -> (P, 2 * axes) float32: around the largest connected part of each, zeros where there is none.

    The starts along the axes, the last axis first, then the ends, exclusive: x0, y0, x1, y1 for pictures.
    """
    boxes = torch.zeros(len(masks), 2 * (masks.dim() - 1))
    for box, mask in zip(boxes, masks.cpu().numpy(), strict=True):
        parts, count = ndimage.label(mask, np.ones((3,) * mask.ndim))
        if count:
            largest = int(np.bincount(parts.ravel())[1:].argmax())
            place = ndimage.find_objects(parts)[largest][::-1]
            box[:] = torch.tensor([float(part.start) for part in place] + [float(part.stop) for part in place])
    return boxes.to(masks.device)
