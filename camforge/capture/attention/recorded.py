"""The attention of one forward, recorded with its place in autograd's graph, and what extractors see of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture.attention.blocks import Blocks, entering
from camforge.capture.attention.functions import Functions
from camforge.capture.recording import RecordedOutput
from camforge.capture.structures import lead_tensor
from camforge.capture.targets import Rank
from camforge.maps import wide
from camforge.types import CamForgeError


@dataclass(frozen=True, eq=False)
class Attention:
    """The self-attention of a network's blocks over the image's N tokens, for P pairs, block by block.

    blocks           the blocks' module paths, shallow to deep
    probabilities    per block (P, heads, N, N): how much each token (row) takes from each (column); rows sum to 1
    gradients        per block (P, heads, N, N), d score / d probabilities; empty unless they were asked for
    read             (P, N): the share of each token in what the score is read from behind the last block; sums to 1.
                     All of it is the class token's where the network has one, else it is even over what is pooled
    tokens           (P, N, C): what enters the first block;  token_gradients  (P, N, C), or None: d score / d tokens
    images_axis      of the tokens as the blocks have them: 0, or 1 where the tokens' axis comes first
    """

    blocks: tuple[str, ...]
    probabilities: tuple[Tensor, ...]
    gradients: tuple[Tensor, ...]
    read: Tensor
    tokens: Tensor
    token_gradients: Tensor | None
    images_axis: int
    _layout: Blocks
    _recorded: RecordedAttention
    _rank: Rank

    def on_grid(self, values: Tensor) -> Tensor:
        """(P, N), one value per token, -> (P, h, w): those of the image's places."""
        return self._layout.on_grid(values)

    def outputs(self, block: int) -> Tensor:
        """(P, N, C): the tokens that a block returned."""
        return self._rank.pick(self._layout.tokens_last(self._recorded.outputs[block].detach()))

    def as_returned(self, tokens: Tensor) -> Tensor:
        """(P, N, C) tokens in the layout in which the blocks return them."""
        return self._layout.as_returned(tokens)

    def pulled_back(self, block: int, gradients: Tensor) -> Tensor:
        """From d score / d tokens that a block returned, (P, N, C), to d score / d its attention (P, heads, N, N)."""
        returned = self._recorded.outputs[block]
        along = torch.zeros_like(self._layout.tokens_last(returned))
        along[self._rank.images] = gradients.to(along)
        recorded = self._recorded.probabilities[block]
        found = torch.autograd.grad(returned, recorded, self._layout.as_returned(along), retain_graph=True)[0]
        return self._rank.pick(_by_head(found, len(along)))


@dataclass(eq=False)
class RecordedAttention:
    """What a forward left: per block its attention, as autograd's graph has it, and the tokens that it returned."""

    layout: Blocks
    create_graph: bool
    probabilities: dict[int, Tensor] = field(default_factory=dict)
    outputs: dict[int, Tensor] = field(default_factory=dict)
    inputs: dict[int, Tensor] = field(default_factory=dict)

    def note(self, call: int, probabilities: Tensor) -> Tensor:
        """Keep an attention that is one of the blocks'; autograd's graph begins at it at the latest."""
        if call not in self.layout.calls:
            return probabilities
        leaf = probabilities if probabilities.requires_grad else probabilities.detach().requires_grad_()
        self.probabilities[self.layout.calls.index(call)] = leaf
        return leaf

    def differentiated(self, every: bool, tokens: bool) -> dict[str, RecordedOutput]:
        """What derivatives are taken to: every block's attention, or the last one's, and the first tokens."""
        last = len(self.probabilities) - 1
        chosen = range(last + 1) if every else (last,)
        found = {f"attention {k}": self.probabilities[k] for k in chosen}
        found |= {"tokens": self.inputs[0]} if tokens else {}
        return {name: RecordedOutput(tensor, tuple(tensor.shape), None) for name, tensor in found.items()}

    def seen(self, rank: Rank, found: Mapping[str, Tensor], every: bool) -> Attention:
        """A rank's view of it, with the derivatives that were found."""
        count = self.layout.tokens_last(self.inputs[0]).shape[0]
        heads = [_by_head(self.probabilities[k], count) for k in range(len(self.probabilities))]
        slopes = {name: rank.pick(_by_head(g, count)) for name, g in found.items() if name != "tokens"}
        of_last = slopes[f"attention {len(heads) - 1}"]
        used = (of_last != 0).any(-1).any(1).to(of_last)
        slope, own = found.get("tokens"), (lambda x: x) if self.create_graph else Tensor.detach
        return Attention(
            blocks=self.layout.paths,
            probabilities=tuple(rank.pick(wide(own(h))) for h in heads),
            gradients=tuple(wide(slopes[f"attention {k}"]) for k in range(len(heads))) if every else (),
            read=used / used.sum(1, keepdim=True).clamp(min=1),
            tokens=rank.pick(wide(self.layout.tokens_last(own(self.inputs[0])))),
            token_gradients=None if slope is None else rank.pick(wide(self.layout.tokens_last(slope))),
            images_axis=self.layout.layout.images,
            _layout=self.layout,
            _recorded=self,
            _rank=rank,
        )


def recording_attention(
    model: nn.Module, blocks: Blocks | None, create_graph: bool
) -> AbstractContextManager[Recorder]:
    """Record while the model runs inside the ``with`` block; nothing where no blocks are given."""
    return nullcontext(Recorder(None)) if blocks is None else _recording(model, blocks, create_graph)


@contextmanager
def _recording(model: nn.Module, blocks: Blocks, create_graph: bool) -> Iterator[Recorder]:
    recorder = Recorder(RecordedAttention(blocks, create_graph))
    with ExitStack() as stack:
        for number, path in enumerate(blocks.paths):
            block = model.get_submodule(path)
            stack.callback(block.register_forward_pre_hook(partial(recorder.enter, number), with_kwargs=True).remove)
            stack.callback(block.register_forward_hook(partial(recorder.leave, number)).remove)
        if recorder.functions is not None:
            stack.enter_context(recorder.functions)
        yield recorder


class Recorder:
    """What records a forward's attention: hooks on the blocks, and a mode of torch's functions."""

    def __init__(self, recorded: RecordedAttention | None) -> None:
        self.recorded = recorded
        self.functions = None if recorded is None else Functions(recorded.note, frozenset(recorded.layout.calls))

    def clear(self) -> None:
        """Forget what an abandoned forward left."""
        if self.functions is not None:
            self.functions.clear()

    def enter(self, block: int, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Keep the tokens that a block is given; autograd's graph begins at them at the latest."""
        given = entering(args, kwargs)
        if given is None or self.recorded is None:
            raise CamForgeError(f"block {block} got no tokens in this forward pass")
        leaf = given if given.requires_grad else given.detach().requires_grad_()
        self.recorded.inputs[block] = leaf
        named = {name: leaf if value is given else value for name, value in kwargs.items()}
        return tuple(leaf if value is given else value for value in args), named

    def leave(self, block: int, _module: nn.Module, _inputs: Any, output: Any) -> None:
        """Keep the tokens that a block returns."""
        returned = lead_tensor(output)
        if returned is None or self.recorded is None:
            raise CamForgeError(f"block {block} returned no tokens in this forward pass")
        self.recorded.outputs[block] = returned


def _by_head(values: Tensor, images: int) -> Tensor:
    """(B, heads, N, N), or (B heads, N, N), -> (B, heads, N, N)."""
    return values if values.dim() == 4 else values.unflatten(0, (images, -1))
