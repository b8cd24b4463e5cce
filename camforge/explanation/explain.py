"""Maps in one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import torch
from torch import Tensor, nn

from camforge.capture import Extraction, Targets, extract_maps
from camforge.explanation.captions import method_text
from camforge.explanation.explanation import Explanation
from camforge.host.registry import build
from camforge.interfaces import Extractor
from camforge.maps import NORMALISERS, resize
from camforge.types import CamForgeError

Choice = str | Mapping[str, object] | Extractor
Choices = list[str] | list[dict[str, object]] | list[Extractor] | list[Choice] | tuple[Choice, ...]


class MapWarning(UserWarning):
    """Maps that tell nothing: zero everywhere, NaN or infinite."""


@overload
def explain(
    model: nn.Module,
    images: Tensor | tuple[Any, ...],
    targets: Targets = None,
    extractor: Choice = "gradcam",
    *,
    normalise: str = "none",
    select: Callable[[Any], Tensor] | None = None,
    create_graph: bool = False,
) -> Explanation: ...
@overload
def explain(
    model: nn.Module,
    images: Tensor | tuple[Any, ...],
    targets: Targets = None,
    *,
    extractor: Choices,
    normalise: str = "none",
    select: Callable[[Any], Tensor] | None = None,
    create_graph: bool = False,
) -> dict[str, Explanation]: ...
@overload
def explain(
    model: nn.Module,
    images: Tensor | tuple[Any, ...],
    targets: Targets,
    extractor: Choices,
    *,
    normalise: str = "none",
    select: Callable[[Any], Tensor] | None = None,
    create_graph: bool = False,
) -> dict[str, Explanation]: ...
def explain(
    model: nn.Module,
    images: Tensor | tuple[Any, ...],
    targets: Targets = None,
    extractor: Choice | Choices = "gradcam",
    *,
    normalise: str = "none",
    select: Callable[[Any], Tensor] | None = None,
    create_graph: bool = False,
) -> Explanation | dict[str, Explanation]:
    """Maps of the images' targets: raw, signed as the extractor defines them, upsampled bilinearly to the images.

    images     (N, 3, H, W), or a tuple that begins with them, for a model of several inputs
    targets    None: the highest logit; an int; N of them: one each; (N, T): T each; or functions of one image's logits
    extractor  a name, {"name": …, option: …} or an Extractor; several layers without ``merge`` are summed (003 eq. 8)
    normalise  "none"; "max": ReLU and division by each map's maximum; "minmax": each map to [0, 1]
    select     takes the logits (N, K) out of a dict or tuple that the model returns

    Returns an Explanation of P (image, target) pairs, whose ``targets`` tell what was chosen; for a list of extractors,
    which share one pass, a dict of them by name, numbered where a name comes again: layercam, layercam#1. Raises
    CamForgeError where targets do not match the images. Maps that are zero everywhere or not finite stay as they are,
    and a MapWarning counts and names them.
    """
    if normalise not in NORMALISERS:
        raise CamForgeError(f"explain: normalise={normalise!r}; allowed: {', '.join(NORMALISERS)}")
    one = isinstance(extractor, str | Mapping | Extractor)
    chosen = [_built(choice) for choice in _listed(extractor)]
    first = images[0] if isinstance(images, tuple) else images
    found = extract_maps(model, images, chosen, targets, select=select, create_graph=create_graph)
    size, made = first.shape[2:], dict[str, Explanation]()
    for i, (name, method) in enumerate(zip(_names(chosen), chosen, strict=True)):
        _warn(name, "zero everywhere", found, found.empty(i))
        _warn(name, "not finite", found, found.broken(i))
        maps = NORMALISERS[normalise](_on_input(found.maps[i], size), len(size))
        pairs = found.images, found.targets
        made[name] = Explanation(maps, *pairs, found.logits, found.layers[i], method_text(method))
    return next(iter(made.values())) if one else made


def _warn(name: str, what: str, found: Extraction, which: Tensor) -> None:
    """Count the maps and name the first ten."""
    rows = which.nonzero().flatten().tolist()
    if rows:
        pairs = [f"image {int(found.images[row])} target {int(found.targets[row])}" for row in rows[:10]]
        named = ", ".join(pairs) + (", …" if len(rows) > 10 else "")
        warnings.warn(f"{name}: {len(rows)} of {len(which)} maps are {what}: {named}", MapWarning, stacklevel=3)


def _listed(extractor: Choice | Choices) -> Sequence[Choice]:
    return [extractor] if isinstance(extractor, str | Mapping | Extractor) else extractor


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
