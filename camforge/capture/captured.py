"""What one pass captured, as extractors see it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from camforge.capture.attention.recorded import Attention
from camforge.capture.head import LinearHead
from camforge.capture.layers import ModelLayers
from camforge.capture.layout.grids import Grids
from camforge.capture.targets import Rank

if TYPE_CHECKING:
    from camforge.capture.rerun import Rerun

ScoreFunction = Callable[[Tensor, Tensor], Tensor]
"""(P, K) logits and (P,) targets -> (P,): what is differentiated in the place of the target's own logit."""


@dataclass(frozen=True)
class Needs:
    """What an extractor reads: layers by module path. Needs join with ``|``; the score is the left one's.

    activations, gradients  layers whose output, and whose d score / d output, is read
    curvatures              layers A whose Hessian-vector product (d2 score / dA2) A is read
    raw_inputs              modules whose first input is read as the module got it
    raw_gradients           modules whose gradient is read in the module's own layout
    input_gradients         d score / d image is read
    attention               the self-attention of every block over the image's tokens is read
    attention_gradients     d score / d attention is read;  token_gradients  d score / d the first block's tokens is
    score                   the explained function of the logits; None: the target's logit
    many_targets            the maps come from the capture alone: one capture may hold several targets of an image

    A path may end in ``#k``, the k-th call of a reused module, and a raw one in ``#*``, every call there was.
    """

    activations: tuple[str, ...] = ()
    gradients: tuple[str, ...] = ()
    curvatures: tuple[str, ...] = ()
    raw_inputs: tuple[str, ...] = ()
    raw_gradients: tuple[str, ...] = ()
    input_gradients: bool = False
    attention: bool = False
    attention_gradients: bool = False
    token_gradients: bool = False
    score: ScoreFunction | None = None
    many_targets: bool = False

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            _union(self.activations, other.activations),
            _union(self.gradients, other.gradients),
            _union(self.curvatures, other.curvatures),
            _union(self.raw_inputs, other.raw_inputs),
            _union(self.raw_gradients, other.raw_gradients),
            self.input_gradients or other.input_gradients,
            self.attention or other.attention,
            self.attention_gradients or other.attention_gradients,
            self.token_gradients or other.token_gradients,
            self.score,
            self.many_targets and other.many_targets,
        )

    @property
    def reads_attention(self) -> bool:
        """Anything of the attention is read."""
        return self.attention or self.attention_gradients or self.token_gradients

    @property
    def layers(self) -> tuple[str, ...]:
        """Every module that is read."""
        return _union(self.activations, self.differentiated, self.raw_inputs)

    @property
    def differentiated(self) -> tuple[str, ...]:
        """Every layer that a derivative is taken to."""
        return _union(self.gradients, self.curvatures, self.raw_gradients)


class Selected(Mapping[str, Tensor]):
    """Tensors (B, …) seen as those of a rank's pairs (P, …): picked when asked for, once."""

    def __init__(self, tensors: Mapping[str, Tensor], rank: Rank) -> None:
        self._tensors, self._rank = tensors, rank
        self._cache: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._cache:
            self._cache[name] = self._rank.pick(self._tensors[name])
        return self._cache[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


@dataclass(frozen=True, eq=False, kw_only=True)
class Capture:
    """One forward and one backward, seen as P (image, target) pairs, in float32 or wider.

    model_layers     the model and its stages
    inputs           (P, 3, H, W), the pair's image
    rank             the pairs: their images and targets
    logits           (P, K)
    activations      layer -> (P, C, h, w); tokens and channels-last maps are brought to this shape
    gradients        layer -> (P, C, h, w): d score / d activation
    curvatures       layer -> (P, C, h, w): the Hessian-vector product with the activation itself
    raw_inputs       path#k -> (P, …), what the module got;  raw_gradients  path#k -> (P, …), as the module returned it
    input_gradients  (P, 3, H, W) or None
    attention        of the blocks over the image's tokens, or None where nothing of it was asked for
    head             the linear head, where a captured layer is followed by nothing but a mean and a linear layer
    grids            brings a module's output to (P, C, h, w)
    rerun            runs the network again, or what lies behind a layer, on other values
    """

    model_layers: ModelLayers
    inputs: Tensor
    rank: Rank
    logits: Tensor
    activations: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    curvatures: Mapping[str, Tensor] = field(default_factory=dict)
    raw_inputs: Mapping[str, Tensor] = field(default_factory=dict)
    raw_gradients: Mapping[str, Tensor] = field(default_factory=dict)
    input_gradients: Tensor | None = None
    attention: Attention | None = None
    head: LinearHead | None = None
    grids: Grids
    rerun: Rerun
    _shared: dict[Hashable, Tensor] = field(default_factory=dict, init=False)

    def shared(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """What several extractors work out of this capture: made by the first that asks, the same tensor for all."""
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    @property
    def images(self) -> Tensor:
        """(P,) int64, the pair's image in the batch."""
        return self.rank.images

    @property
    def targets(self) -> Tensor:
        """(P,) int64, the explained output; -1 where a callable was given."""
        return self.rank.index

    def resolve(self, layers: str | tuple[str, ...]) -> tuple[str, ...]:
        """Layer names as ``activations`` and ``gradients`` know them."""
        return self.model_layers.resolve(layers)

    def scores(self, logits: Tensor) -> Tensor:
        """Logits (P, …, K) of the pairs, run again -> (P, …): the explained score of each."""
        return self.rank.scores(logits)

    def __len__(self) -> int:
        return self.targets.shape[0]


def _union(*names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in names for name in group))
