"""The gallery's pictures: one network, one scene with two objects, every extractor that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

import camforge
from camforge import CamForgeError
from camforge.host.registry import registry
from camforge.pictures import PAPER, encode, overlay
from camforge.pipeline.results import Results

EXPERIMENT = Path(__file__).with_name("gallery.yaml")
SIDE, GAP = 192, 6  # pixels of a tile's side, and between tiles
OPTIONS: dict[str, dict[str, Any]] = {
    "gradcam, last stage": {"name": "gradcam"},
    "gradcam, all stages": {"name": "gradcam", "layers": "stages", "merge": "sum"},
    "gradcam, all stages, truncated at 50": {"name": "gradcam", "layers": "stages", "merge": "sum", "truncate": 50},
    "layercam, last stage": {"name": "layercam"},
    "layercam, all stages": {"name": "layercam", "layers": "stages", "merge": "sum"},
    "layercam, all stages, truncated at 50": {"name": "layercam", "layers": "stages", "merge": "sum", "truncate": 50},
}
"""The same extractor with other options, side by side."""


@dataclass(frozen=True)
class Card:
    """One extractor. ``picture``: a .webp with one tile per object; empty where ``reason`` says why there is none."""

    name: str
    picture: bytes
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Scene:
    """A trained network and one image. ``image`` (3, H, W) uint8; ``mask`` (H, W); ``targets`` the classes it shows."""

    network: torch.nn.Module
    image: Tensor
    mask: Tensor
    targets: list[int]
    classes: tuple[str, ...]

    def card(self, name: str, extractor: Mapping[str, Any]) -> Card:
        """The maps of both objects, or why this extractor cannot read this network."""
        inputs = (self.image.float() / 255 - 0.5) / 0.25  # as gallery.yaml says
        try:
            maps = camforge.explain(self.network, inputs[None], [self.targets], extractor).maps
        except CamForgeError as error:
            return Card(name, b"", str(error))
        return Card(name, self.tiles([overlay(self.large, values) for values in maps]))

    @property
    def large(self) -> Tensor:
        """The image at the size of a tile."""
        size = (SIDE, SIDE)
        return interpolate(self.image[None].float(), size, mode="bicubic")[0].clamp(0, 255).byte()

    def truth(self) -> bytes:
        """The image, and the mask of each object."""
        return self.tiles([self.large, *(overlay(self.large, (self.mask == t + 1).float()) for t in self.targets)])

    def tiles(self, pictures: list[Tensor]) -> bytes:
        """Pictures side by side, as a .webp file."""
        gap = torch.tensor(PAPER, dtype=torch.uint8)[:, None, None].expand(3, SIDE, GAP)
        parts = [part for picture in pictures for part in (gap, picture)][1:]
        return encode(torch.cat(parts, 2), ".webp")


def scene(work: Path, overrides: tuple[str, ...] = ()) -> Scene:
    """Train the gallery's network, or take it from the store, and pick the image."""
    results = camforge.run(EXPERIMENT, work_dir=work, overrides=overrides, device="cpu", quiet=True)
    image = next(image for image in results.report_data.gallery if _suits(image.labels, results))
    targets = image.labels.nonzero().flatten().tolist()
    assert image.mask is not None  # PartWorld has masks
    network = results.models["gradcam"][0].networks[0]
    return Scene(network, image.image, image.mask, targets, results.report_data.classes)


def _suits(labels: Tensor, results: Results) -> bool:
    """Two objects, of two families: a fish and a crate."""
    shown = [results.report_data.classes[c] for c in labels.nonzero().flatten()]
    return len(shown) == 2 and {name.rpartition("-")[2] for name in shown} == {"fish", "crate"}


def cards(at: Scene) -> list[Card]:
    """Every installed extractor with its defaults, those that cannot read this network last."""
    made = [at.card(name, {"name": name}) for name in sorted(registry().plugins["extractor"])]
    return sorted(made, key=lambda card: bool(card.reason))


def variants(at: Scene) -> list[Card]:
    """The same extractors with other options."""
    return [at.card(name, options) for name, options in OPTIONS.items()]
