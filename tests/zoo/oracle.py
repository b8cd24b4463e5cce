"""Where a layer looks, by an intervention of the tests' own: nine blocks of the image, replaced one after the other."""

import copy
from typing import Any

import torch
from torch import Tensor, nn


def raw_outputs(model: nn.Module, names: tuple[str, ...], images: Tensor) -> dict[str, Tensor]:
    """What modules, or with ``path#k`` their k-th calls, returned; the first tensor of a tuple or a dict."""
    kept: dict[str, list[Tensor]] = {name: [] for name in names}
    handles = [
        model.get_submodule(name.partition("#")[0]).register_forward_hook(
            lambda _m, _i, out, name=name: kept[name].append(_first(out))
        )
        for name in names
    ]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return {name: calls[int(name.partition("#")[2] or -1)] for name, calls in kept.items()}


def _first(output: Any) -> Tensor:
    if isinstance(output, Tensor):
        return output
    return _first(next(iter(output.values())) if isinstance(output, dict) else output[0])


def nine_blocks(image: Tensor) -> Tensor:
    """(1, 3, H, W) -> (9, 3, H, W): one of the 3 x 3 blocks replaced by noise, row by row."""
    many = image.repeat(9, 1, 1, 1)
    height, width = (n // 3 for n in image.shape[2:])
    for block in range(9):
        top, left = block // 3 * height, block % 3 * width
        area = many[block, :, top : top + height, left : left + width]
        area.copy_(torch.randn(area.shape, generator=torch.Generator().manual_seed(block)) * 1.5)
    return many


def follows(base: Tensor, changed: Tensor) -> tuple[float, float]:
    """Maps (1, C, h, w) and (9, C, h, w) -> how well the centre of what changes follows the block, down and across.

    What changes wherever the block is (a token that reads all) is taken off first.
    """
    change = (changed - base).double().square().sum(1)
    change = change / change.flatten(1).sum(1)[:, None, None].clamp(min=1e-300)
    own = (change - change.mean(0)).clamp(min=0)
    own = own / own.flatten(1).sum(1)[:, None, None].clamp(min=1e-300)
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in own.shape[1:])
    down, across = (own.sum(2) * rows).sum(1), (own.sum(1) * columns).sum(1)
    blocks = torch.arange(9)
    return _correlation(down, blocks // 3), _correlation(across, blocks % 3)


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(), b.double() - b.double().mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-300))


def grad_of(model: nn.Module, name: str, images: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """The layer's output and its gradient of an output's logit in float64 by plain hooks, in the layer's own layout."""
    twin, kept = copy.deepcopy(model).double(), list[Tensor]()
    path, _, call = name.partition("#")

    def keep(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        tensor = _first(output)
        kept.append(tensor)
        return tensor.clone() if isinstance(output, Tensor) else None  # a copy, which in-place operations may change

    twin.get_submodule(path).register_forward_hook(keep)
    output = twin(images.double())
    logits = output if isinstance(output, Tensor) else output.get("logits", output.get("logits_per_image"))
    value = kept[int(call or -1)]
    return value.detach(), torch.autograd.grad(logits[:, target].sum(), value)[0]


def laid_out(value: Tensor, layout: str, size: tuple[int, int]) -> Tensor:
    """A layer's output as (B, C, h, w) under a layout that is written down.

    "first", "last", or "tokens P Q N": strides down and across, first place.
    """
    if layout == "first":
        return value
    if layout == "last":
        return value.permute(0, 3, 1, 2)
    _, down, across, start = layout.split()
    h, w = -(-size[0] // int(down)), -(-size[1] // int(across))
    return value[:, int(start) : int(start) + h * w].reshape(len(value), h, w, -1).permute(0, 3, 1, 2)
