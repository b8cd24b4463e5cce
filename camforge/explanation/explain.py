"""Maps in one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from camforge.capture import Highest, Targets, unwrap
from camforge.capture.structures import check_runnable
from camforge.explanation.batches import Run, explain_inputs, explain_photographs
from camforge.explanation.explanation import Explanation
from camforge.explanation.inputs import model_input, photographs_of
from camforge.explanation.names import check_count, names_of, with_indices
from camforge.explanation.recipe import preparation, recipe_of
from camforge.explanation.targets import ClassScores, DetectedBox
from camforge.host.registry import build
from camforge.interfaces import Extractor
from camforge.maps import NORMALISERS
from camforge.types import CamForgeError

Choice = str | Mapping[str, object] | Extractor
Choices = list[str] | list[dict[str, object]] | list[Extractor] | list[Choice] | tuple[Choice, ...]
Photographs = str | Path | Image.Image | np.ndarray[Any, Any]
Images = Tensor | Photographs | Sequence[Tensor | Photographs] | tuple[Any, ...] | Mapping[str, Any]


class MapWarning(UserWarning):
    """Maps that tell nothing: zero or the same everywhere, NaN or infinite."""


class _Options(TypedDict, total=False):
    """The options that explain() takes after the extractor, for its overloads."""

    top: int | None
    preprocess: Callable[..., Any] | None
    classes: Sequence[str]
    size: Literal["full", "input"]
    batch_size: int
    normalise: str
    select: Callable[[Any], Tensor] | None
    create_graph: bool


@overload
def explain(
    model: nn.Module,
    images: Images,
    targets: Targets = None,
    extractor: Choice = "gradcam",
    **options: Unpack[_Options],
) -> Explanation: ...
@overload
def explain(
    model: nn.Module, images: Images, targets: Targets = None, *, extractor: Choices, **options: Unpack[_Options]
) -> dict[str, Explanation]: ...
@overload
def explain(
    model: nn.Module, images: Images, targets: Targets, extractor: Choices, **options: Unpack[_Options]
) -> dict[str, Explanation]: ...
def explain(
    model: nn.Module,
    images: Images,
    targets: Targets = None,
    extractor: Choice | Choices = "gradcam",
    *,
    top: int | None = None,
    preprocess: Callable[..., Any] | None = None,
    classes: Sequence[str] = (),
    size: Literal["full", "input"] = "full",
    batch_size: int = 16,
    normalise: str = "none",
    select: Callable[[Any], Tensor] | None = None,
    create_graph: bool = False,
) -> Explanation | dict[str, Explanation]:
    """Maps of the images' targets: raw, signed as the extractor defines them, upsampled bilinearly to the images.

    images      (N, 3, H, W) floats as the model wants them, or a tuple that begins with them, for a model of several
                inputs. Or photographs, one, a batch or a list: paths, folders, PIL images, arrays and uint8 tensors,
                which are prepared as the model's library says
    targets     None: the highest logit; an int or a class name; N of them: one each; (N, T): T each; or functions of
                one image's logits
    extractor   a name, {"name": …, option: …} or an Extractor; several layers without ``merge`` are summed (003 eq. 8)
    top         explain so many of each image's highest outputs, in the place of ``targets``
    preprocess  how a photograph becomes the model's input, where its library does not say: transforms or weights of
                torchvision, a processor of transformers, or any function of a PIL image
    classes     the names of the outputs, where the model does not say
    size        of the maps of photographs: "full", the photograph's own, or "input", what the model was given
    batch_size  photographs that are prepared and explained at once
    normalise   "none"; "max": ReLU and division by each map's maximum; "minmax": each map to [0, 1]
    select      takes the logits (N, K) out of a dict or tuple that the model returns; None: logits, and of detectors
                and segmentation networks a score per class (``camforge.explanation.targets.ClassScores``)

    Returns an Explanation of P (image, target) pairs, whose ``targets`` tell what was chosen; for a list of extractors,
    which share one pass, a dict of them by name, numbered where a name comes again: layercam, layercam#1. Raises
    CamForgeError where targets do not match the images. Maps that are zero or the same everywhere, or not finite, stay
    as they are, and a MapWarning counts and names them.
    """
    if normalise not in NORMALISERS:
        raise CamForgeError(f"explain: normalise={normalise!r}; allowed: {', '.join(NORMALISERS)}")
    if size not in ("full", "input"):
        raise CamForgeError(f"explain: size={size!r}; allowed: full, input")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise CamForgeError(f"explain: batch_size={batch_size!r}; give a number from 1 on")
    check_runnable(unwrap(model))
    classes = names_of(() if classes is None else classes)
    reader, called = _reader(select, unwrap(model), classes)
    chosen, recipe = [_built(choice) for choice in _listed(extractor)], recipe_of(model, classes or called)
    run = Run(model, chosen, recipe, normalise, reader, create_graph)
    wanted = with_indices(_wanted(targets, top), recipe.classes)
    photographs = photographs_of(images)
    if photographs is None:
        made = explain_inputs(run, model_input(model, images), wanted)
    else:
        prepare = recipe.preparation if preprocess is None else preparation(preprocess)
        made = explain_photographs(run, photographs, wanted, prepare, size == "full", batch_size)
    named = dict(zip(_names(chosen), made, strict=True))
    for name, explanation in named.items():
        _warn(name, explanation)
    return made[0] if isinstance(extractor, str | Mapping | Extractor) else named


def _reader(
    select: Callable[[Any], Tensor] | None, model: nn.Module, classes: Sequence[str]
) -> tuple[Callable[[Any], Tensor], list[str]]:
    """What reads the model's output, and what its numbers are called where they are not the model's classes."""
    if isinstance(select, DetectedBox):
        return select.of(model), [select.caption]
    reader = select or ClassScores(model)
    return partial(_named, reader, classes) if classes else reader, []


def _named(reader: Callable[[Any], Tensor], classes: Sequence[str], output: Any) -> Tensor:
    logits = reader(output)
    if isinstance(logits, Tensor) and logits.dim() == 2:  # what else it may be is told elsewhere
        check_count(classes, logits.shape[1])
    return logits


def _wanted(targets: Targets, top: int | None) -> Targets:
    if top is None:
        return targets
    if targets is not None:
        raise CamForgeError("explain: give targets or top, not both")
    if not isinstance(top, int) or top < 1:
        raise CamForgeError(f"explain: top={top!r}; give a number from 1 on")
    return Highest(top)


def _warn(name: str, found: Explanation) -> None:
    """Count the maps that tell nothing and name the first ten."""
    flat = found.maps.detach().flatten(1)
    if not flat.numel():
        return
    low, high = flat.aminmax(dim=1)
    zero, broken = (low == 0) & (high == 0), ~flat.isfinite().all(1)
    same = (high - low <= 1e-5 * high.abs()) & ~zero & ~broken if flat.shape[1] > 1 else torch.zeros_like(zero)
    layers = f" (read at {found.layers[-1]!r})" if found.layers else ""
    for what, which in (("zero everywhere", zero), ("not finite", broken), (f"the same everywhere{layers}", same)):
        rows = which.nonzero().flatten().tolist()
        if rows:
            pairs = [f"image {int(found.images[row])} target {int(found.targets[row])}" for row in rows[:10]]
            named = ", ".join(pairs) + (", …" if len(rows) > 10 else "")
            warnings.warn(f"{name}: {len(rows)} of {len(which)} maps are {what}: {named}", MapWarning, stacklevel=3)


def _listed(extractor: Choice | Choices) -> Sequence[Choice]:
    several = extractor if isinstance(extractor, list | tuple) else [extractor]
    for choice in several or [None]:
        if not isinstance(choice, str | Mapping | Extractor):
            raise CamForgeError(
                f"explain: extractor={extractor!r}; give a name, a dict with a name, an Extractor, or a list of them"
            )
    return several


def _built(choice: Choice) -> Extractor:
    return choice if isinstance(choice, Extractor) else build("extractor", choice)


def _names(extractors: Sequence[Extractor]) -> list[str]:
    """The extractors' names; a name that comes again is numbered: gradcam, gradcam#1."""
    names: list[str] = []
    for extractor in extractors:
        again = sum(name.partition("#")[0] == extractor.name for name in names)
        names.append(f"{extractor.name}#{again}" if again else extractor.name)
    return names
