"""Slow transcriptions of the papers' equations: one image, loops over places and channels, float64 Python numbers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


def captured(model: nn.Module, image: Tensor, layer: str, score: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Activation and gradient (C, h, w) of one image by plain autograd; the layer must not be overwritten later."""
    kept: list[Tensor] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, out: kept.append(out))
    logits = model(image[None])
    handle.remove()
    gradient = torch.autograd.grad(score(logits[0]), kept[0])[0]
    return kept[0][0].detach(), gradient[0]


def places(values: Tensor) -> list[tuple[int, int]]:
    return [(i, j) for i in range(values.shape[-2]) for j in range(values.shape[-1])]


def weighted(weights: list[float], a: Tensor) -> Tensor:
    """ReLU(sum_k w_k A_k)."""
    out = torch.zeros(a.shape[1:], dtype=torch.float64)
    for i, j in places(a):
        out[i, j] = max(0.0, sum(w * float(a[k, i, j]) for k, w in enumerate(weights)))
    return out


def gradcam(a: Tensor, g: Tensor) -> Tensor:
    return weighted([sum(float(g[k, i, j]) for i, j in places(g)) / len(places(g)) for k in range(len(a))], a)


def gradcampp(a: Tensor, g: Tensor) -> Tensor:
    weights = []
    for k in range(len(a)):
        total, weight = sum(float(a[k, i, j]) for i, j in places(a)), 0.0
        for i, j in places(g):
            d = float(g[k, i, j])
            if d != 0:
                alpha = d**2 / (2 * d**2 + total * d**3)
                weight += alpha * max(0.0, d)
        weights.append(weight)
    return weighted(weights, a)


def smoothgradcampp(a: Tensor, noisy: list[Tensor]) -> Tensor:
    weights, n = [], len(noisy)
    for k in range(len(a)):
        total, weight = sum(float(a[k, i, j]) for i, j in places(a)), 0.0
        for i, j in places(a):
            d = [sum(float(g[k, i, j]) ** p for g in noisy) / n for p in (1, 2, 3)]
            below = 2 * d[1] + total * d[2]
            weight += d[1] / below * max(0.0, d[0]) if below else 0.0
        weights.append(weight)
    return weighted(weights, a)


def xgradcam(a: Tensor, g: Tensor) -> Tensor:
    weights = []
    for k in range(len(a)):
        total = sum(float(a[k, i, j]) for i, j in places(a))
        weights.append(sum(float(g[k, i, j]) * float(a[k, i, j]) / total for i, j in places(a)) if total else 0.0)
    return weighted(weights, a)


def placewise(a: Tensor, g: Tensor, term: Callable[[float, float], float]) -> Tensor:
    """sum_k term(A_kij, g_kij)."""
    out = torch.zeros(a.shape[1:], dtype=torch.float64)
    for i, j in places(a):
        out[i, j] = sum(term(float(a[k, i, j]), float(g[k, i, j])) for k in range(len(a)))
    return out


def hirescam(a: Tensor, g: Tensor) -> Tensor:
    return placewise(a, g, lambda x, d: x * d)


def elementwise(a: Tensor, g: Tensor) -> Tensor:
    return placewise(a, g, lambda x, d: max(0.0, x * d))


def layercam(a: Tensor, g: Tensor) -> Tensor:
    return placewise(a, g, lambda x, d: max(0.0, d) * x).clamp(min=0)


def eigencam(a: Tensor, center: bool) -> Tensor:
    """Projection on the first right singular vector, by a full SVD; the sign agrees with the mean over channels."""
    rows = torch.stack([a[:, i, j] for i, j in places(a)])
    if center:
        rows = rows - rows.mean(0)
    found = rows @ torch.linalg.svd(rows, full_matrices=True).Vh[0]
    agreement = sum(float(x) * float(row.mean()) for x, row in zip(found, rows, strict=True))
    return (found if agreement >= 0 else -found).reshape(a.shape[1:])


def fem(a: Tensor, sigmas: float) -> Tensor:
    out = torch.zeros(a.shape[1:], dtype=torch.float64)
    for channel in a:
        values = [float(channel[i, j]) for i, j in places(a)]
        mean = sum(values) / len(values)
        std = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
        for i, j in places(a):
            if float(channel[i, j]) >= mean + sigmas * std:
                out[i, j] += mean
    return out


def upsampled(values: Tensor, height: int, width: int) -> Tensor:
    """Bilinear, corners not aligned: the centre of an output pixel, in input pixels, clamped to the border."""
    out = torch.zeros(height, width, dtype=torch.float64)
    h, w = values.shape
    for y, x in places(out):
        v, u = max(0.0, (y + 0.5) * h / height - 0.5), max(0.0, (x + 0.5) * w / width - 0.5)
        i, j = int(v), int(u)
        p, q, dv, du = min(i + 1, h - 1), min(j + 1, w - 1), v - i, u - j
        top = float(values[i, j]) * (1 - du) + float(values[i, q]) * du
        low = float(values[p, j]) * (1 - du) + float(values[p, q]) * du
        out[y, x] = top * (1 - dv) + low * dv
    return out


def unit(values: Tensor) -> Tensor:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else torch.zeros_like(values)


def softmax(values: list[float]) -> list[float]:
    top = max(values)
    powers = [math.exp(v - top) for v in values]
    return [p / sum(powers) for p in powers]


@torch.no_grad()
def scorecam(model: nn.Module, image: Tensor, a: Tensor, score: Callable[[Tensor], float]) -> Tensor:
    masks = [unit(upsampled(channel, *image.shape[1:])) for channel in a]
    plain = score(model(image[None])[0])
    gains = [score(model((image * mask)[None])[0]) - plain for mask in masks]
    return weighted(softmax(gains), a)


@torch.no_grad()
def ablationcam(model: nn.Module, image: Tensor, layer: str, target: int) -> Tensor:
    """The layer's output replaced by a hook, the whole network run for each channel."""
    kept: list[Tensor] = []
    module = model.get_submodule(layer)
    handle = module.register_forward_hook(lambda _m, _i, out: kept.append(out.clone()))
    whole = float(model(image[None])[0, target])
    handle.remove()
    a, weights = kept[0], []
    for k in range(a.shape[1]):
        without = a.clone()
        without[:, k] = 0
        handle = module.register_forward_hook(lambda _m, _i, _o, without=without: without.clone())
        weights.append((whole - float(model(image[None])[0, target])) / whole)
        handle.remove()
    return weighted(weights, a[0])
