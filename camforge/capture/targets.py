"""What is to be explained: targets of every form, brought to one list per image and from there to ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import index
from typing import Any, cast

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


def probabilities(logits: Tensor) -> Tensor:
    """(…, K) -> (…, K): the softmax; of a single output, whose softmax is always 1, the sigmoid."""
    return logits.softmax(-1) if logits.shape[-1] != 1 else logits.sigmoid()


def target_lists(targets: Targets, logits: Tensor) -> list[list[Target]]:
    """One list of targets per image.

    None: the highest logit · an integer or callable: the same for all · N of them, or None: one each · (N, T) integers:
    T each · (N, K) bool, or 0 and 1 (one-hot, multi-hot): those that are on. Integers of Python, NumPy or tensors.
    A wrong number of targets, an index beyond the outputs, a string or a float is an error; so are 0 and 1 of shape
    (N, 2) for two outputs as numbers: they can be meant either way.
    """
    count, outputs = logits.shape
    if isinstance(targets, Highest):
        if not 1 <= targets.count <= outputs:
            raise CamForgeError(f"top={targets.count}: the model has {outputs} outputs")
        return [list(row) for row in logits.topk(targets.count).indices.tolist()]
    listed = isinstance(targets, Sequence) and not isinstance(targets, str | bytes)
    if not (targets is None or callable(targets) or _scalar(targets) or listed or hasattr(targets, "__array__")):
        raise CamForgeError(f"targets are a {type(targets).__name__}: {_ALLOWED.format(outputs - 1)}")
    if targets is None or callable(targets) or _scalar(targets):
        targets = [targets] * count
    values = targets if isinstance(targets, Tensor) else _tensor(targets)
    rows = list(cast(Any, targets)) if values is None else _rows(values, isinstance(targets, list | tuple), outputs)
    if len(rows) != count:
        raise CamForgeError(f"{len(rows)} targets for {count} images: give one entry per image")
    if values is not None and _name_outputs(values, outputs):
        return [row if isinstance(row, list) else [row] for row in rows]
    best = logits.argmax(1).tolist() if any(row is None for row in rows) else []
    lists = [_row(best[image] if row is None else row, outputs) for image, row in enumerate(rows)]
    return [[_checked(target, image, outputs) for target in row] for image, row in enumerate(lists)]


def ranks(targets: Sequence[Sequence[Target]], device: torch.device) -> list[Rank]:
    """The first target of every image, then the second of every image that has one, and so on; at least one rank."""
    starts = list(accumulate(map(len, targets), initial=0))
    found = []
    for rank in range(max([1, *map(len, targets)])):
        images = [image for image, row in enumerate(targets) if len(row) > rank]
        chosen = tuple(targets[image][rank] for image in images)
        rows = [starts[image] + rank for image in images]
        found.append(_rank(images, rows, chosen, len(images) == len(targets), device))
    return found


def pairs_at_once(targets: Sequence[Sequence[Target]], device: torch.device, most: int) -> list[Rank]:
    """All targets of all images in their order, in as few ranks of at most ``most`` pairs as it takes."""
    pairs = [(image, target) for image, row in enumerate(targets) for target in row]
    found = []
    for start in range(0, len(pairs), most):
        part = pairs[start : start + most]
        rows, chosen = list(range(start, start + len(part))), tuple(target for _, target in part)
        found.append(_rank([image for image, _ in part], rows, chosen, False, device))
    return found


def _rank(images: list[int], rows: list[int], chosen: tuple[Target, ...], whole: bool, device: torch.device) -> Rank:
    """The three tensors of a rank reach the device in one copy."""
    outputs = [-1 if callable(target) else target for target in chosen]
    numbers = torch.tensor([images, rows, outputs], dtype=torch.int64)
    numbers = numbers.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else numbers.to(device)
    image, row, index = numbers.unbind()
    return Rank(image, row, index, chosen, whole)


def _score(target: Target, logits: Tensor) -> Tensor:
    """(…, K) -> (…): one target of every row; a callable sees one row (K,) at a time."""
    if not callable(target):
        return logits[..., target]
    rows = logits.reshape(-1, logits.shape[-1])
    return torch.stack([_one_number(target(row.clone())) for row in rows]).reshape(logits.shape[:-1])


def _one_number(score: Any) -> Tensor:
    if not isinstance(score, Tensor):
        raise CamForgeError(f"a target's function returned a {type(score).__name__}, not a tensor: it has no gradient")
    if score.numel() != 1:
        raise CamForgeError(f"a target's function returned shape {tuple(score.shape)}, not one number per image")
    return score.reshape(())


_ALLOWED = "give indices of outputs, 0 to {}, or functions of an image's logits"


def _scalar(target: Any) -> bool:
    """An integer of Python or NumPy, or a tensor without axes."""
    return target.dim() == 0 if isinstance(target, Tensor) else hasattr(target, "__index__") and not _shape(target)


def _shape(target: Any) -> tuple[int, ...]:
    return tuple(getattr(target, "shape", ()))


def _tensor(targets: Any) -> Tensor | None:
    """A NumPy array, or rows of numbers all of one length, as a tensor; None for anything else."""
    if hasattr(targets, "__array__"):
        return torch.as_tensor(targets)
    rows = isinstance(targets, list | tuple) and targets and all(isinstance(row, list | tuple) for row in targets)
    if not rows or len({len(row) for row in targets}) > 1:
        return None
    numbers = all(isinstance(value, int | float) for row in targets for value in row)
    return torch.tensor(targets) if numbers else None


def _rows(values: Tensor, listed: bool, outputs: int) -> list[Any]:
    """The rows of a tensor (N,) or (N, T); of one that is 0 and 1 per output (multi-hot), the outputs that are on.

    listed  it was written as lists, where two numbers for two outputs are two targets
    """
    if values.dim() != 2:
        multi_hot = values.dtype == torch.bool
    elif values.dtype == torch.bool or values.is_floating_point():
        multi_hot = values.dtype == torch.bool or _zeros_and_ones(values, outputs)
    else:
        multi_hot = _zeros_and_ones(values, outputs) and not (listed and outputs == 2)
        if multi_hot and outputs <= 2:
            shape = tuple(values.shape)
            raise CamForgeError(
                f"targets 0 and 1 of shape {shape}: give .bool() for labels that are on, a list for outputs"
            )
    if not multi_hot:
        return values.tolist()
    if values.dim() != 2 or values.shape[1] != outputs:
        raise CamForgeError(f"multi-hot targets have shape {tuple(values.shape)}, not (images, {outputs} outputs)")
    found: list[list[int]] = [[] for _ in values]
    for image, output in values.nonzero().tolist():
        found[image].append(output)
    return found


def _name_outputs(values: Tensor, outputs: int) -> bool:
    """Every number is one of the outputs, or says whether one is on."""
    if values.dtype == torch.bool or values.is_floating_point() or not values.numel():
        return values.dtype == torch.bool
    low, high = torch.stack(values.aminmax()).tolist()
    return bool(low >= 0 and high < outputs)


def _zeros_and_ones(values: Tensor, outputs: int) -> bool:
    fits = values.shape[1] == outputs and values.numel() > 0 and outputs > 1
    return fits and bool(((values == 0) | (values == 1)).all())


def _row(row: Any, outputs: int) -> list[Any]:
    """The targets of one image: one alone, or those of a list, tensor or array."""
    if not isinstance(row, list | tuple) and not _shape(row):
        return [row]
    values = row if isinstance(row, Tensor) else _tensor(row if _shape(row) else [row])
    if values is None or not values.numel():
        return list(row)
    return list(_rows(values.reshape(1, -1), isinstance(row, list | tuple), outputs)[0])


def _checked(target: Any, image: int, outputs: int) -> Target:
    if callable(target):
        function: Target = target
        return function
    plain: Any = target.item() if isinstance(target, Tensor) and target.dim() == 0 else target
    whole = hasattr(plain, "__index__") and not isinstance(plain, bool) and not _shape(plain)
    if not whole:
        raise CamForgeError(f"target {target!r} of image {image}: {_ALLOWED.format(outputs - 1)}")
    if not 0 <= index(plain) < outputs:
        raise CamForgeError(f"target {index(plain)} of image {image}: the model has outputs 0 to {outputs - 1}")
    return index(plain)
