"""From a batch of inputs, or photographs batch by batch, to explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import pad

from camforge.capture import Targets, extract_maps, target_lists
from camforge.capture.structures import images_key
from camforge.explanation.captions import method_text
from camforge.explanation.explanation import Explanation
from camforge.explanation.inputs import Photograph, model_input
from camforge.explanation.names import label_of
from camforge.explanation.placement import Placement, Prepare, measure
from camforge.explanation.recipe import Recipe
from camforge.interfaces import Extractor
from camforge.maps import NORMALISERS, resize
from camforge.types import CamForgeError

_place = lru_cache(maxsize=128)(measure)  # photographs of one camera have one size
LARGEST = 4 * 2**30  # bytes of maps: more is a folder of large photographs that somebody forgot the size of


@dataclass(frozen=True, eq=False)
class Run:
    """What explain() was asked to do with every batch."""

    model: nn.Module
    extractors: Sequence[Extractor]
    recipe: Recipe
    normalise: str = "none"
    select: Callable[[Any], Tensor] | None = None
    create_graph: bool = False


def explain_inputs(run: Run, inputs: Any, targets: Targets) -> list[Explanation]:
    """One explanation per extractor, of inputs as the model wants them."""
    found = extract_maps(run.model, inputs, run.extractors, targets, select=run.select, create_graph=run.create_graph)
    size = _first(inputs).shape[2:]
    labels = [label_of(t, run.recipe.classes) for row in target_lists(targets, found.logits) for t in row]
    return [
        Explanation(
            maps=NORMALISERS[run.normalise](sum_of_layers(layers, size), len(size)),
            images=found.images,
            targets=found.targets,
            logits=found.logits,
            layers=paths,
            method=method_text(extractor),
            model=run.recipe.name,
            labels=tuple(labels),
        )
        for layers, paths, extractor in zip(found.maps, found.layers, run.extractors, strict=True)
    ]


def explain_photographs(
    run: Run, photographs: Sequence[Photograph], targets: Targets, prepare: Prepare, full: bool, batch_size: int
) -> list[Explanation]:
    """One explanation per extractor, of photographs; with ``full`` the maps have the photographs' own sizes."""
    parts: list[list[Explanation]] = []
    placements: list[Placement] = []
    for start in range(0, len(photographs), batch_size):
        batch = photographs[start : start + batch_size]
        inputs, places = _prepared(run.model, batch, prepare)
        part = explain_inputs(run, inputs, _share(targets, slice(start, start + len(batch)), len(photographs)))
        placements += places
        parts.append([_full(each, places) for each in part] if full else part)
    made = [_joined(list(each)) for each in zip(*parts, strict=True)]
    extra: dict[str, Any] = {"photographs": tuple(photographs)}
    extra |= {"sizes": tuple(p.size for p in placements)} if full else {"placements": tuple(placements)}
    return [replace(each, **extra) for each in made]


def _prepared(model: nn.Module, batch: Sequence[Photograph], prepare: Prepare) -> tuple[Tensor, list[Placement]]:
    """The model's inputs (B, 3, H, W) on its device, and where each photograph lies in them."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    prepared: list[Tensor] = []
    places: list[Placement] = []
    for photograph in batch:
        pixels = photograph.pixels()
        places.append(_place(prepare, (pixels.shape[1], pixels.shape[2])))
        prepared.append(prepare(Image.fromarray(pixels.permute(1, 2, 0).numpy())))
    if len({tensor.shape for tensor in prepared}) > 1:
        raise CamForgeError("the preparation gives inputs of different sizes: explain with batch_size=1")
    inputs: Tensor = model_input(model, torch.stack(prepared).to(device))
    return inputs, places


def _full(found: Explanation, places: Sequence[Placement]) -> Explanation:
    """The same maps in the photographs' own pixels, each in the upper left corner of the largest of them."""
    height, width = (max(place.size[axis] for place in places) for axis in (0, 1))
    if len(found) * height * width * found.maps.element_size() > LARGEST:
        size = f"{len(found)} maps of {width}x{height} pixels"
        raise CamForgeError(f"{size} do not fit into memory: give size='input', or fewer photographs at once")
    maps = [_padded(place.bring_back(found.of(i)), (height, width)) for i, place in enumerate(places)]
    return replace(found, maps=torch.cat(maps))


def _joined(parts: Sequence[Explanation]) -> Explanation:
    """The explanations of several batches as one."""
    if len(parts) == 1:
        return parts[0]
    starts = torch.tensor([0, *(len(part.logits) for part in parts)]).cumsum(0).tolist()
    height, width = (max(part.maps.shape[axis] for part in parts) for axis in (1, 2))
    return replace(
        parts[0],
        maps=torch.cat([_padded(part.maps, (height, width)) for part in parts]),
        images=torch.cat([part.images + start for part, start in zip(parts, starts, strict=False)]),
        targets=torch.cat([part.targets for part in parts]),
        logits=torch.cat([part.logits for part in parts]),
        labels=tuple(label for part in parts for label in part.labels),
    )


def _padded(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(T, h, w) -> (T, H, W) with zeros below and to the right."""
    return pad(maps, (0, size[1] - maps.shape[2], 0, size[0] - maps.shape[1]))


def _share(targets: Targets, part: slice, count: int) -> Targets:
    """The targets of a part of the images."""
    if not isinstance(targets, Sequence | Tensor) or isinstance(targets, str | bytes):
        return targets  # one for all, or what target_lists() refuses
    if isinstance(targets, Tensor) and not targets.dim():
        return targets
    if len(targets) != count:
        raise CamForgeError(f"{len(targets)} targets for {count} images: give one entry per image")
    return targets[part]


def sum_of_layers(layers: list[Tensor], size: torch.Size) -> Tensor:
    """(P, h_l, w_l) of each layer -> (P, H, W): upsampled, then summed (003 eq. 8)."""
    return torch.stack([resize(layer, size) for layer in layers]).sum(0)


def _first(inputs: Any) -> Tensor:
    """The images among the model's inputs."""
    images: Tensor = inputs[images_key(inputs)] if isinstance(inputs, Mapping) else inputs
    return images[0] if isinstance(images, tuple) else images
