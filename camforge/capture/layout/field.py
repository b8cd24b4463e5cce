"""Which part of the image a layer's places lie on: all of it, or less or more where the model crops or pads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture.layout.intervention import Inputs, Response, Run, first_images, repeated, same_random, watched
from camforge.capture.layout.layout import Layout
from camforge.capture.model.borrowing import borrowed
from camforge.capture.structures import lead_tensor

OFF = 0.2
"""A tenth of the image: so far the edges of a map may be from those of the image, as without padding they are."""
PIXELS = 3
"""So many of a small image: what strides and convolutions without padding leave over at an edge."""
STRAY = 0.05
"""So far half of the rows of places may look from where they lie, or their line tells nothing."""


@dataclass(frozen=True)
class Edges:
    """Along one axis of the image, which goes from -1 to 1: where the first place begins, the last one ends, and how
    far these may be from the image's edges."""

    low: float
    high: float
    spare: float = OFF

    @property
    def beyond(self) -> bool:
        """Places lie outside of the image, on what the model puts around it: more than convolutions' padding makes."""
        return max(-1 - self.low, self.high - 1) > self.spare

    @property
    def short(self) -> bool:
        """On some side no place lies: more than what strides leave over."""
        return max(self.low + 1, 1 - self.high) > self.spare

    @property
    def whole(self) -> bool:
        """The places lie on all of the image, and on nothing else."""
        return abs(self.low + 1) <= OFF and abs(self.high - 1) <= OFF


Field = tuple[Edges, ...]
"""Along each axis of the image."""


def field_of(response: Response, layout: Layout, image: Sequence[int]) -> Field | None:
    """Where the places lie on an image of this size, by where each of them looks.

    None where too few of them answer, or on no line.
    """
    centres, energy = response.centres(layout.channels)
    if layout.grid is not None:
        places = slice(layout.start, layout.start + prod(layout.grid))
        centres, energy = centres[:, places].unflatten(1, layout.grid), energy[places].unflatten(0, layout.grid)
    found = [_edges(centres[axis], energy, axis, image[axis]) for axis in range(len(centres))]
    known = tuple(edges for edges in found if edges is not None)
    return known if len(known) == len(found) else None


def _edges(centres: Tensor, energy: Tensor, axis: int, pixels: int) -> Edges | None:
    """Along one axis, by the median of the slopes between its rows of places; one row looks at all of the image."""
    count = energy.shape[axis]
    if count == 1:
        return Edges(-1.0, 1.0)
    own = energy.movedim(axis, 0).reshape(count, -1)
    sums = own.sum(1)
    rows = (sums > 0.02 * sums.max()).nonzero().flatten()
    if len(rows) < 2:
        return None
    looks = ((centres.movedim(axis, 0).reshape(count, -1).clamp(-2, 2) * own).sum(1) / sums.clamp(min=1e-300))[rows]
    lies = ((rows + 0.5) / count * 2 - 1).to(looks)
    one, other = torch.combinations(torch.arange(len(rows)), 2).unbind(1)
    slope = ((looks[other] - looks[one]) / (lies[other] - lies[one])).median()
    middle = (looks - slope * lies).median()
    if (looks - slope * lies - middle).abs().median() > STRAY or slope <= 0:
        return None
    spare = max(OFF, float(2 * slope) / count, 2 * PIXELS / pixels)
    return Edges(float(middle - slope), float(middle + slope), spare)


def misplaced(own: Field | None, earlier: Sequence[Field], is_unread: Callable[[Field], bool]) -> Field | None:
    """The field of a layer that lies on less of the image than all of it, or on more; None of any other.

    own        where its places lie; they look too far around to tell where that is not the whole image
    earlier    the fields of what the model called before, which tell then
    is_unread  whether the layer reads nothing of the image outside of a field
    """
    if own is not None and all(edges.whole for edges in own):
        return None
    fields = [*([] if own is None else [own]), *earlier]
    padded = [field for field in fields if any(edges.beyond for edges in field)]
    if padded:
        return padded[0]
    cropped = [field for field in fields if any(edges.short for edges in field)]
    widest = sorted(cropped, key=lambda field: sum(edges.low - edges.high for edges in field))[:1]
    likely = [own, *widest] if own is not None and own in cropped else widest
    return next(filter(is_unread, likely), None)


def unread(model: nn.Module, inputs: Inputs, run: Run, call: str, field: Field) -> bool:
    """Strong noise where none of a call's places lies changes nothing that it returns; one forward of two images."""
    one = first_images(inputs, 1)
    noise = 3 * torch.randn(one[0].shape, generator=torch.Generator().manual_seed(0)).to(one[0])
    beyond = _beyond(field, one[0])
    images = torch.cat([one[0], torch.where(beyond, noise, one[0])])
    others = repeated(one[1:], 2)
    kept: list[Tensor] = []

    def note(name: str, output: Any) -> None:
        tensor = lead_tensor(output) if name == call else None
        kept.extend([] if tensor is None else [tensor])

    if not bool(beyond.any()):
        return False
    with torch.no_grad(), same_random(images.device):
        borrowed(model, False, lambda: watched(model, lambda: run((images, *others)), note))
    return bool(kept) and bool((kept[0][:1] - kept[0][1:]).abs().max() <= 1e-5 * kept[0].abs().max())


def _beyond(field: Field, images: Tensor) -> Tensor:
    """Bool, as the image: farther out than a third of the way from the places' edge to the image's."""
    found = torch.zeros((), dtype=torch.bool, device=images.device)
    dims = len(field)
    for axis, (edges, size) in enumerate(zip(field, images.shape[2:], strict=True)):
        at = (torch.arange(size, device=images.device) + 0.5) / size * 2 - 1
        outside = (at < edges.low - max(OFF, edges.low + 1) / 3) | (at > edges.high + max(OFF, 1 - edges.high) / 3)
        found = found | outside.view(-1, *(1,) * (dims - 1 - axis))
    return found.expand(images.shape)


def described_field(field: Field, image: tuple[int, ...]) -> str:
    """``16 to 80 x 16 to 80``, in the image's pixels."""
    pixels = [(round((e.low + 1) / 2 * n), round((e.high + 1) / 2 * n)) for e, n in zip(field, image, strict=True)]
    return " x ".join(f"{low} to {high}" for low, high in pixels)
