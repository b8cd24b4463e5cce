"""Which attention of a network is that of its blocks over the image's tokens: found out once per model and size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture.attention.functions import Functions
from camforge.capture.layers import ModelLayers
from camforge.capture.layout.grids import Grids
from camforge.capture.layout.intervention import first_images, signature, some_image
from camforge.capture.layout.layout import Layout
from camforge.capture.model.borrowing import borrowed
from camforge.capture.model.structure import Structure
from camforge.capture.structures import lead_tensor
from camforge.types import CamForgeError


@dataclass(frozen=True)
class Blocks:
    """The blocks whose self-attention sees all of the image's tokens, shallow to deep.

    calls   which of a forward's attentions are theirs;  paths  the blocks, modules that take and return tokens
    layout  where images, channels and places lie in those
    """

    calls: tuple[int, ...]
    paths: tuple[str, ...]
    layout: Layout

    def tokens_last(self, tokens: Tensor) -> Tensor:
        """A block's tokens as (B, N, C)."""
        return tokens.movedim((self.layout.images, self.layout.channels), (0, 2))

    def as_returned(self, tokens: Tensor) -> Tensor:
        """(B, N, C) as the blocks have them."""
        return tokens.movedim((0, 2), (self.layout.images, self.layout.channels))

    def on_grid(self, values: Tensor) -> Tensor:
        """(P, N), one value per token, -> (P, h, w) of those that are places of the image."""
        grid, start = self.layout.grid, self.layout.start
        assert grid is not None  # or these were no blocks of tokens
        places: Tensor = values[:, start : start + prod(grid)].unflatten(1, grid)
        return places


def blocks_of(model_layers: ModelLayers, inputs: tuple[Any, ...]) -> Blocks:
    """The blocks for inputs of this size. Raises CamForgeError where there are none."""
    structure = Structure.of(model_layers.model)
    found = structure.kept(("attention", signature(inputs)), lambda: _found(model_layers, inputs))
    if isinstance(found, str):
        raise CamForgeError(f"{_name(model_layers.model)}: {found}")
    return found


def _name(model: nn.Module) -> str:
    body = getattr(model, "body", model)
    return type(body).__name__


def _found(model_layers: ModelLayers, inputs: tuple[Any, ...]) -> Blocks | str:
    """The blocks, or why there are none."""
    one = first_images(inputs, 1) if inputs[0].shape[0] else some_image(inputs)
    trace, windows = borrowed(model_layers.model, False, lambda: _traces(model_layers, one))
    if not trace.attentions:
        return "no attention was seen in this network: this method reads that of vision transformers"
    partly = "its attention sees windows of the image or pooled keys, not all of its tokens, which this method needs"
    if windows:
        return partly
    grids = model_layers.grids(inputs)
    chosen = [(k, *block) for k, seen in enumerate(trace.attentions) if (block := _block(trace, seen, grids))]
    if not chosen:
        return "no block has an attention of its own from all tokens of the image to all of them"
    if any(seen.pooled for seen in trace.attentions[: chosen[-1][0]]):
        return partly
    layout = Counter(layout for *_, layout in chosen).most_common(1)[0][0]
    same = [(k, path) for k, path, own in chosen if own == layout]
    grids.check_field(same[0][1], layout)
    return Blocks(tuple(k for k, _ in same), tuple(path for _, path in same), layout)


@dataclass(frozen=True)
class _Attention:
    """The shape (1, heads, Q, K) of an attention of one image, and the modules in which it ran, outermost first."""

    shape: tuple[int, ...]
    inside: tuple[str, ...]

    @property
    def pooled(self) -> bool:
        """Several queries see fewer keys, or ones of another kind."""
        return 1 < self.shape[-2] != self.shape[-1]

    @property
    def split(self) -> bool:
        """An axis more, or several rows, for one image: windows, or texts beside the image."""
        return len(self.shape) > 4 or (len(self.shape) == 4 and self.shape[0] > 1)


@dataclass
class _Trace:
    """One forward: its attentions, and the shape of the tokens of each module that returns what it takes."""

    attentions: list[_Attention] = field(default_factory=list)
    tokens: dict[str, tuple[int, ...]] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)

    def note(self, _: int, probabilities: Tensor) -> Tensor:
        self.attentions.append(_Attention(tuple(probabilities.shape), tuple(self.running)))
        return probabilities

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        with ExitStack() as stack:
            for path, module in model.named_modules():
                enter = lambda _m, _i, path=path: self.running.append(path)  # noqa: E731
                stack.callback(module.register_forward_pre_hook(enter).remove)
                leave = lambda _m, args, kwargs, out, path=path: self._leave(path, args, kwargs, out)  # noqa: E731
                stack.callback(module.register_forward_hook(leave, with_kwargs=True).remove)
            yield

    def _leave(self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        self.running.pop()
        given, returned = entering(args, kwargs), lead_tensor(output)
        if given is not None and returned is not None and given.shape == returned.shape and given.dim() == 3:
            self.tokens[path] = tuple(given.shape)


def _traces(model_layers: ModelLayers, one: tuple[Any, ...]) -> tuple[_Trace, bool]:
    """What one image's forward does, and whether some attention sees windows of it.

    Those have several rows for one image and twice as many for two, which texts beside an image have not.
    """
    trace = _traced(model_layers, one)
    if not any(seen.split for seen in trace.attentions):
        return trace, False
    twice = tuple(torch.cat([x, x]) if isinstance(x, Tensor) and x.shape[:1] == (1,) else x for x in one)
    pairs = zip(trace.attentions, _traced(model_layers, twice).attentions, strict=True)
    return trace, any(a.split and (len(a.shape) > 4 or a.shape[0] < b.shape[0]) for a, b in pairs)


def _traced(model_layers: ModelLayers, inputs: tuple[Any, ...]) -> _Trace:
    trace = _Trace()
    with torch.no_grad(), trace.watching(model_layers.model), Functions(trace.note):
        model_layers.run(tuple(x.clone() if isinstance(x, Tensor) else x for x in inputs))
    return trace


def _block(trace: _Trace, seen: _Attention, grids: Grids) -> tuple[str, Layout] | None:
    """The outermost module around an attention that holds no other one and returns tokens of the image."""
    square = len(seen.shape) in (3, 4) and seen.shape[-1] == seen.shape[-2]
    if not square or (len(seen.shape) == 4 and seen.shape[0] != 1):
        return None
    held = Counter(path for other in trace.attentions for path in other.inside)
    for path in seen.inside:
        if held[path] == 1 and path in trace.tokens:
            layout = grids.settled(path)
            if isinstance(layout, Layout) and layout.grid is not None and layout.images is not None:
                tokens = trace.tokens[path][3 - layout.images - layout.channels]
                return (path, layout) if tokens == seen.shape[-1] else None
    return None


def entering(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    """The tokens that a block is called with: its first tensor of floats."""
    values = (*args, *kwargs.values())
    return next((x for x in values if isinstance(x, Tensor) and x.is_floating_point()), None)
