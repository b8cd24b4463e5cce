"""Overlay pictures for photographs named on the command line: no config, no data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor
from torchvision.transforms.v2.functional import center_crop

from camforge.data.decoding import read_image
from camforge.data.geometry import Geometry
from camforge.explanation.explain import explain
from camforge.host.registry import build, registry
from camforge.interfaces import Backbone
from camforge.interfaces.base import choices
from camforge.pictures import save_overlay
from camforge.types import CamForgeError, Network, Sample

IMAGENET = Geometry(224, "crop", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_NAMES: list[str] = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]


@dataclass(frozen=True)
class Overlay:
    """One picture: what was explained, by which extractor, with which logit."""

    source: Path
    extractor: str
    target: int
    label: str
    logit: float
    picture: Path


def explain_files(
    files: Sequence[Path],
    network: Network,
    extractors: Sequence[str],
    target: int | None,
    out: Path,
    device: torch.device,
) -> Iterator[Overlay | CamForgeError]:
    """Explain each file and write its pictures to ``out``; a file that cannot be read comes back as its error.

    target  the output to explain, None for the highest
    """
    network.to(device).eval()
    makers = [build("extractor", name) for name in extractors]
    taken: set[str] = set()
    for file in files:
        try:
            pixels = read_photograph(file)
        except CamForgeError as error:
            yield error
            continue
        image = IMAGENET.normalise(pixels[None]).to(device)
        with torch.inference_mode():
            logits = network(image)[0].float().cpu()
        chosen = int(logits.argmax()) if target is None else target
        explained = explain(network, image, [chosen], makers)
        for name, found in explained.items():
            picture = out / _free(f"{file.stem}-{name}-{chosen}", taken)
            save_overlay(picture, pixels, found.maps[0].cpu())
            yield Overlay(file, name, chosen, _label(chosen, len(logits)), float(logits[chosen]), picture)


def backbone(model: str, weights: str | None, outputs: int | None = None) -> Network:
    """A backbone plugin of that name, or else torchvision's model of that name with its published weights.

    outputs  None: as many as the weights have; another number than that is an error, as is a head that stays random
    """
    spec: dict[str, Any] = {"name": model} if model in registry().plugins["backbone"] else _torchvision(model)
    if weights is not None:
        spec["weights"] = weights
    plugin = build("backbone", spec)
    return plugin.build(_checked_outputs(plugin, spec, outputs))


def _checked_outputs(plugin: Backbone, spec: Mapping[str, Any], outputs: int | None) -> int:
    trained, model, weights = plugin.trained_outputs(), spec.get("arch", spec["name"]), spec.get("weights")
    if trained is None and weights is None:
        hint = "; give --weights" if "weights" in plugin.options() else ""
        raise CamForgeError(f"model {model!r} has no trained weights: its maps would mean nothing{hint}")
    if trained is None:
        raise CamForgeError(f"model {model!r}: the weights {weights!r} hold no head for it, which would stay random")
    if outputs not in (None, trained):
        raise CamForgeError(f"--outputs {outputs}: the head of the weights {weights!r} has {trained} outputs")
    return trained


def read_photograph(file: Path) -> Tensor:
    """(3, 224, 224) uint8, upright: short side to 224 pixels and the centre of it. Raises CamForgeError."""
    pixels = read_image(file)
    height, width = pixels.shape[1:]
    side = 2 * min(height, width)  # the crop is a square: what lies far from it need not be resized with it
    pixels = center_crop(pixels, [min(height, side), min(width, side)])
    return IMAGENET.place(Sample(file.name, pixels, torch.zeros(0, dtype=torch.bool))).image


def _torchvision(model: str) -> dict[str, Any]:
    known = [*registry().plugins["backbone"], *torchvision.models.list_models(module=torchvision.models)]
    if model not in known:
        hint = choices(model, known).partition("known: ")[0]
        raise CamForgeError(f"unknown model {model!r}; {hint}known: the backbone plugins and torchvision's classifiers")
    return {"name": "torchvision", "arch": model, "weights": "DEFAULT"}


def _label(target: int, outputs: int) -> str:
    return _NAMES[target] if outputs == len(_NAMES) else ""


def _free(stem: str, taken: set[str]) -> str:
    """A file name that no other photograph of this call has."""
    name, number = f"{stem}.png", 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}.png"
    taken.add(name)
    return name
