"""Where images, channels and places lie in a layer's output: the readings that its shape allows, held to a response."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod

import torch
from torch import Tensor

from camforge.capture.layout.intervention import Response

_EXTRAS = 32  # class, distillation and register tokens beside those of the image
FOLLOWS = 0.5  # how well places must follow the image, of -1 to 1, where a layout was to be expected


@dataclass(frozen=True)
class Layout:
    """Where images, channels and places lie in a layer's output.

    images, channels  their axes
    grid              places along the image's axes, where one axis of the output holds them all, row by row; else None
    start             which entry of that axis is the first place: before it class and register tokens
    """

    images: int
    channels: int
    grid: tuple[int, ...] | None = None
    start: int = 0

    def __call__(self, values: Tensor) -> Tensor:
        """The output as (B, C, h, w), or (B, C, d, h, w) for volumes."""
        first = values.movedim((self.images, self.channels), (0, 1))
        if self.grid is None:
            return first
        places: Tensor = first[:, :, self.start : self.start + prod(self.grid)].unflatten(2, self.grid)
        return places

    def __str__(self) -> str:
        order = "channels first" if self.channels == 1 else "channels last"
        return order if self.grid is None else f"{'x'.join(map(str, self.grid))} places from {self.start}, {order}"


FIRST = Layout(0, 1)
GridsOf = Callable[[int, tuple[int, ...]], list[tuple[int, ...]]]
"""The grids that so many tokens of an image of that extent may lie on."""

SURE = 0.8  # how well, where many layouts were tried or an axis tells little
CLEARLY = 0.05  # by how much the best layout is better than a rival
LOCAL = 0.15  # how far apart places look that do not all see the whole image (``_spread``)
UNCHANGED = "it does not change with the image"
GLOBAL = "each of its places looks at the whole image"
NOT_IMAGES = "its first axis is not the images (frames, patches, boxes or views in the batch?)"


def decided(
    response: Response, image: tuple[int, ...], grids: tuple[tuple[int, ...], ...], first: bool, search: bool
) -> Layout | str:
    """The one layout under which the places follow the image, or why there is none.

    grids   those that convolutions of the model returned
    first   the module returns channels first whatever it is given
    search  look for others, where tokens lie on none of them
    """
    if response.images is None:
        return NOT_IMAGES
    if not response.places:
        return f"its axes are not those of an image of {'x'.join(map(str, image))}"
    if not any(bool(places[0].max() > 0) for places in response.places.values()):
        return UNCHANGED
    own = [reading for reading in _own_axes(response, image) if reading[0] == 1 or not first]
    if len(own) == 1 and _few(response, own[0][0]):
        return Layout(response.images, own[0][0])
    looks = max((_spread(response, channels) for channels in response.places), default=0.0)
    last = len(response.shape) - 1
    scored, needed = _scored(response, [*own, *_tokens(response, image, last, _largest(grids))]), FOLLOWS
    others: list[tuple[int, GridsOf]] = [
        (last, _divisions),
        (2 - response.images, _largest(grids)),
        (2 - response.images, _divisions),
    ]
    for channels, wanted in others if len(response.shape) == 3 and (search or not grids) and looks >= LOCAL else ():
        if scored and scored[0][0] >= needed:
            break
        needed = SURE  # of many readings one may fit by chance
        scored = _scored(response, [*own, *_tokens(response, image, channels, wanted)]) or scored
    if not scored:
        return f"no reading of it is a grid of an image of {'x'.join(map(str, image))}"
    best, layout = scored[0]
    if 1 in _extent(response, layout) and len(image) > 1:
        needed = SURE  # one place along an axis looks at the whole of it, as any place of an attention's output does
    if best < needed:
        read = "; ".join(f"{layout} ({score:.2f})" for score, layout in scored[:3])
        return GLOBAL if looks < LOCAL else f"its places do not follow the image down and across, read as {read}"
    rivals = [other for score, other in scored[1:] if score > best - CLEARLY]
    return layout if not rivals else _fewest_extras(response, [layout, *rivals])


def _spread(response: Response, channels: int) -> float:
    """How far apart the places look: 0 if each sees the whole image, 0.58 if each sees its own part of it."""
    centres, energy = (values.flatten(-len(response.shape) + 2) for values in response.centres(channels))
    weight = energy / energy.sum().clamp(min=1e-300)
    weight = weight.sqrt() / weight.sqrt().sum().clamp(min=1e-300)
    mean = (centres * weight).sum(1, keepdim=True)
    return float((((centres.clamp(-2, 2) - mean).square() * weight).sum(1)).sqrt().max())


def _extent(response: Response, layout: Layout) -> tuple[int, ...]:
    """The places along each axis of the image."""
    own = (n for k, n in enumerate(response.shape) if k not in (layout.images, layout.channels))
    return tuple(own) if layout.grid is None else layout.grid


def _fewest_extras(response: Response, rivals: list[Layout]) -> Layout | str:
    """Of readings that follow the image alike, the one that leaves the fewest entries out."""

    def places(layout: Layout) -> int:
        return prod(layout.grid) if layout.grid is not None else prod(response.shape)

    most = max(map(places, rivals))
    left = [layout for layout in rivals if places(layout) == most]
    return left[0] if len(left) == 1 else f"it can be read as {' or as '.join(map(str, left[:4]))}"


Reading = tuple[int, tuple[int, ...] | None]
"""The axis of the channels, and the grid of places that lie on one axis; None: the grid's axes are the output's own."""


def _own_axes(response: Response, image: tuple[int, ...]) -> Iterator[Reading]:
    """Channels first and channels last, where the other axes are no larger than the image's."""
    if len(response.shape) == len(image) + 2:
        for channels in response.places:
            grid = [n for k, n in enumerate(response.shape) if k not in (response.images, channels)]
            if all(n <= size for n, size in zip(grid, image, strict=True)):
                yield channels, None


def _few(response: Response, channels: int) -> bool:
    """No axis has more than three places: in a deep network each sees the whole image, and they tell little."""
    return all(n <= 3 for k, n in enumerate(response.shape) if k not in (response.images, channels))


def _tokens(
    response: Response,
    image: tuple[int, ...],
    channels: int,
    grids: GridsOf,
) -> Iterator[Reading]:
    """Tokens (B, N, C), or by the axis of the channels (B, C, N), on the grids that may have so many of them."""
    if len(response.shape) == 3 and channels in response.places:
        count = prod(response.shape) // response.shape[channels]
        for grid in grids(count, image):
            fits = all(n <= size for n, size in zip(grid, image, strict=True))
            if fits and prod(grid) > 1 and (len(image) > 1 or prod(grid) < count):
                yield channels, grid


def _largest(
    grids: tuple[tuple[int, ...], ...],
) -> GridsOf:
    """Of the convolutions' grids, halved up to five times, those with the most places that tokens suffice for."""
    smaller = halved(grids)

    def fitting(count: int, _image: tuple[int, ...]) -> list[tuple[int, ...]]:
        enough = [grid for grid in smaller if 0 <= count - prod(grid) <= min(_EXTRAS, prod(grid))]
        most = max(map(prod, enough), default=0)
        return sorted(grid for grid in enough if prod(grid) == most)

    return fitting


def halved(grids: Iterable[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """The grids, and those of half, a quarter … of their places along each axis, five times."""
    return {tuple(-(-n // 2**k) for n in grid) for grid in grids for k in range(6)}


@cache
def _divisions(count: int, image: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Every grid of ``count`` places, or of up to nine less."""
    found = []
    for places in range(count, max(1, count - 10), -1):
        sides = [d for d in range(1, places + 1) if places % d == 0]
        for head in product(sides, repeat=len(image) - 1):
            if places % prod(head) == 0:
                found.append((*head, places // prod(head)))
    return found


def _scored(response: Response, readings: Iterable[Reading]) -> list[tuple[float, Layout]]:
    """How well the places follow the image under each reading, the best first."""
    assert response.images is not None
    found = []
    for channels, grid in readings:
        for start, score in enumerate(_follows(response, channels, grid).tolist()):
            found.append((score, Layout(response.images, channels, grid, start)))
    return sorted(found, key=lambda scored: -scored[0])


def _follows(response: Response, channels: int, grid: tuple[int, ...] | None) -> Tensor:
    """(S,) from -1 to 1, for each place S that the grid may start at: how well its places follow the image.

    Along an axis with several places the correlation of where a place lies and where in the image it looks; along an
    axis with one, whether all look at the same. The worst axis counts; -1 where tokens of the image are left out.
    """
    centres, energy = response.centres(channels)
    outside = torch.zeros(1, dtype=torch.bool)
    if grid is None:
        grid, centres, energy = tuple(energy.shape), centres.flatten(1)[:, None], energy.flatten()[None]
        weight = energy / (energy + energy.median(1, keepdim=True).values).clamp(min=1e-300)
    else:  # a token that does not change is none of the image's: it lowers the score
        outside = _outside(centres, energy, prod(grid))
        centres, weight = centres.unfold(1, prod(grid), 1), torch.ones_like(energy.unfold(0, prod(grid), 1))
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-300)
    centred = centres.clamp(-2, 2) - (centres.clamp(-2, 2) * weight).sum(2, keepdim=True)
    spread = (centred.square() * weight).sum(2).sqrt()  # (D, S)
    scores = []
    for axis, size in enumerate(grid):
        if size == 1:
            scores.append(1 - spread[axis] / spread.amax(0).clamp(min=0.3))
            continue
        ideal = torch.linspace(-1, 1, size, dtype=weight.dtype).reshape(-1, *(1,) * (len(grid) - 1 - axis))
        ideal = ideal.expand(grid).flatten()
        away = ideal - (ideal * weight).sum(1, keepdim=True)
        norm = spread[axis] * (away.square() * weight).sum(1).sqrt()
        scores.append((centred[axis] * away * weight).sum(1) / norm.clamp(min=1e-300))
    return torch.where(outside, -1.0, torch.stack(scores).amin(0))


def _outside(centres: Tensor, energy: Tensor, places: int) -> Tensor:
    """(S,) for each start: the tokens left out, more than two, look at places of their own: they are the image's."""
    away = centres.clamp(-1, 1).square().sum(0) * energy
    inside = away.unfold(0, places, 1).sum(1)
    left = len(away) - places
    return ((away.sum() - inside) / max(left, 1) > 0.5 * inside / places) & (left > 2)
