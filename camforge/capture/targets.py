"""What is to be explained: targets of every form, brought to one list per image and from there to ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from camforge.types import CamForgeError


@dataclass(frozen=True)
class Highest:
    """The ``count`` highest outputs of each image, the highest first."""

    count: int


Target = int | Callable[[Tensor], Tensor]
Targets = None | int | Highest | Callable[[Tensor], Tensor] | Sequence[Any] | Tensor


@dataclass(frozen=True, eq=False)
class Rank:
    """The k-th target of every image that has one: P pairs, explained by one backward pass.

    images  (P,) int64, ascending;       rows  (P,) int64, the pair's place in the order by image, then by rank
    index   (P,) int64, the explained output, -1 where a callable was given;  chosen  the P targets as they were given
    whole   every image of the batch has a pair
    """

    images: Tensor
    rows: Tensor
    index: Tensor
    chosen: tuple[Target, ...]
    whole: bool

    def pick(self, values: Tensor) -> Tensor:
        """(B, …) -> (P, …), without a copy where the pairs are all images in order."""
        return values if self.whole else values[self.images]

    @property
    def plain(self) -> bool:
        """Every target is an output, none a callable."""
        return not any(callable(target) for target in self.chosen)

    def scores(self, logits: Tensor) -> Tensor:
        """Logits (P, …, K) of the pairs -> (P, …): the explained score of each."""
        if self.plain:
            index = self.index.reshape(-1, *(1,) * (logits.dim() - 1)).expand(*logits.shape[:-1], 1)
            return logits.gather(-1, index).squeeze(-1)
        return torch.stack([_score(target, rows) for target, rows in zip(self.chosen, logits, strict=True)])


def target_lists(targets: Targets, logits: Tensor) -> list[list[Target]]:
    """One list of targets per image.

    None: the highest logit · int or callable: the same for all · N ints or callables: one each · (N, T) ints: T each ·
    (N, K) bool (multi-hot): those that are on. A wrong number of targets or an index beyond the outputs is an error.
    """
    count, outputs = logits.shape
    if isinstance(targets, Highest):
        if not 1 <= targets.count <= outputs:
            raise CamForgeError(f"top={targets.count}: the model has {outputs} outputs")
        return [list(row) for row in logits.topk(targets.count).indices.tolist()]
    if targets is None:
        return [[best] for best in logits.argmax(1).tolist()]
    if isinstance(targets, int) or callable(targets):
        targets = [targets] * count
    if isinstance(targets, Tensor):
        targets = _rows(targets, outputs)
    if len(targets) != count:
        raise CamForgeError(f"{len(targets)} targets for {count} images: give one entry per image")
    rows = (row.tolist() if isinstance(row, Tensor) else row for row in targets)
    lists = [list(row) if isinstance(row, list | tuple) else [row] for row in rows]
    return [[_checked(target, image, outputs) for target in row] for image, row in enumerate(lists)]


def ranks(targets: Sequence[Sequence[Target]], device: torch.device) -> list[Rank]:
    """The first target of every image, then the second of every image that has one, and so on; at least one rank."""
    starts = torch.tensor([0, *(len(row) for row in targets)]).cumsum(0)[:-1].tolist()
    found = []
    for rank in range(max([1, *map(len, targets)])):
        images = [image for image, row in enumerate(targets) if len(row) > rank]
        chosen = tuple(targets[image][rank] for image in images)
        found.append(
            Rank(
                images=_int64(images, device),
                rows=_int64([starts[image] + rank for image in images], device),
                index=_int64([-1 if callable(t) else t for t in chosen], device),
                chosen=chosen,
                whole=len(images) == len(targets),
            )
        )
    return found


def pairs_at_once(targets: Sequence[Sequence[Target]], device: torch.device, most: int) -> list[Rank]:
    """All targets of all images in their order, in as few ranks of at most ``most`` pairs as it takes."""
    pairs = [(image, target) for image, row in enumerate(targets) for target in row]
    found = []
    for start in range(0, len(pairs), most):
        part = pairs[start : start + most]
        found.append(
            Rank(
                images=_int64([image for image, _ in part], device),
                rows=_int64(list(range(start, start + len(part))), device),
                index=_int64([-1 if callable(target) else target for _, target in part], device),
                chosen=tuple(target for _, target in part),
                whole=False,
            )
        )
    return found


def _score(target: Target, logits: Tensor) -> Tensor:
    """(…, K) -> (…): one target of every row; a callable sees one row (K,) at a time."""
    if not callable(target):
        return logits[..., target]
    rows = logits.reshape(-1, logits.shape[-1])
    return torch.stack([target(row).reshape(()) for row in rows]).reshape(logits.shape[:-1])


def _int64(values: list[int], device: torch.device) -> Tensor:
    found = torch.tensor(values, dtype=torch.int64)
    return found.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else found.to(device)


def _rows(targets: Tensor, outputs: int) -> list[Any]:
    if targets.dtype != torch.bool:
        return targets.tolist() if targets.dim() else [targets.item()]
    if targets.dim() != 2 or targets.shape[1] != outputs:
        raise CamForgeError(f"multi-hot targets have shape {tuple(targets.shape)}, not (images, {outputs} outputs)")
    return [row.nonzero().flatten().tolist() for row in targets]


def _checked(target: Any, image: int, outputs: int) -> Target:
    if callable(target):
        function: Target = target
        return function
    if isinstance(target, bool | float) or not 0 <= int(target) < outputs:
        raise CamForgeError(f"target {target} of image {image}: the model has outputs 0 to {outputs - 1}")
    return int(target)
