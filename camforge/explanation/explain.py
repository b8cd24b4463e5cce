"""Maps in one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from camforge.capture import Extraction, Targets, extract_maps
from camforge.host.registry import build
from camforge.interfaces import Extractor
from camforge.maps import NORMALISERS, resize
from camforge.types import CamForgeError

Choice = str | Mapping[str, Any] | Extractor


class MapWarning(UserWarning):
    """Maps that tell nothing: zero everywhere, NaN or infinite."""


def explain(
    model: nn.Module,
    images: Tensor | tuple[Any, ...],
    targets: Targets = None,
    extractor: Choice | Sequence[Choice] = "gradcam",
    *,
    normalise: str = "none",
    select: Callable[[Any], Tensor] | None = None,
    create_graph: bool = False,
) -> Any:
    """Maps of the images' targets: raw, signed as the extractor defines them, upsampled bilinearly to the images.

    images     (N, 3, H, W), or a tuple that begins with them, for a model of several inputs
    targets    None: the highest logit; an int; N of them: one each; (N, T): T each; or functions of one image's logits
    extractor  a name, {"name": …, option: …} or an Extractor; several layers without ``merge`` are summed (003 eq. 8)
    normalise  "none"; "max": ReLU and division by each map's maximum; "minmax": each map to [0, 1]
    select     takes the logits (N, K) out of a dict or tuple that the model returns

    Returns (N, H, W); (N, T, H, W) for T targets each; (P, H, W), image by image, where their numbers differ. A list of
    extractors shares one pass and gives a dict by name. Raises CamForgeError where targets do not match the images.
    Maps that are zero everywhere or not finite stay as they are, and a MapWarning counts and names them.
    """
    if normalise not in NORMALISERS:
        raise CamForgeError(f"explain: normalise={normalise!r}; allowed: {', '.join(NORMALISERS)}")
    one = isinstance(extractor, str | Mapping | Extractor)
    chosen = [_built(choice) for choice in cast(Sequence[Choice], [extractor] if one else extractor)]
    first = images[0] if isinstance(images, tuple) else images
    found = extract_maps(model, images, chosen, targets, select=select, create_graph=create_graph)
    names = _names(chosen)
    for i, name in enumerate(names):
        _warn(name, "zero everywhere", found, found.empty(i))
        _warn(name, "not finite", found, found.broken(i))
    size, shape = first.shape[2:], _shape(targets, found.images, first.shape[0])
    maps = [NORMALISERS[normalise](_on_input(layers, size), len(size)).unflatten(0, shape) for layers in found.maps]
    return maps[0] if one else dict(zip(names, maps, strict=True))


def _warn(name: str, what: str, found: Extraction, which: Tensor) -> None:
    """Count the maps and name the first ten."""
    rows = which.nonzero().flatten().tolist()
    if rows:
        pairs = [f"image {int(found.images[row])} target {int(found.targets[row])}" for row in rows[:10]]
        named = ", ".join(pairs) + (", …" if len(rows) > 10 else "")
        warnings.warn(f"{name}: {len(rows)} of {len(which)} maps are {what}: {named}", MapWarning, stacklevel=3)


def _built(choice: Choice) -> Extractor:
    return choice if isinstance(choice, Extractor) else build("extractor", choice)


def _names(extractors: Sequence[Extractor]) -> list[str]:
    """The extractors' names; a name that comes again is numbered: gradcam, gradcam#1."""
    names: list[str] = []
    for extractor in extractors:
        again = sum(name.partition("#")[0] == extractor.name for name in names)
        names.append(f"{extractor.name}#{again}" if again else extractor.name)
    return names


def _on_input(layers: list[Tensor], size: torch.Size) -> Tensor:
    """(P, h_l, w_l) of each layer -> (P, H, W): upsampled, then summed (003 eq. 8)."""
    return torch.stack([resize(layer, size) for layer in layers]).sum(0)


def _shape(targets: Targets, pairs: Tensor, images: int) -> tuple[int, ...]:
    """(N,) for one target each, (N, T) for T each, (P,) where images have different numbers of targets."""
    if isinstance(targets, Tensor):
        nested = targets.dim() == 2
    else:
        nested = isinstance(targets, Sequence) and any(isinstance(t, Sequence | Tensor) for t in targets)
    each = pairs.bincount(minlength=images)
    return (images, int(each[0])) if nested and bool((each == each[0]).all()) else (len(pairs),)
