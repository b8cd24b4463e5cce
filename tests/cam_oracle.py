"""Slow transcriptions of the papers' equations: one image, loops over places and channels, float64 Python numbers."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


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
    h, w = values.shape
    given, grown = values.tolist(), [[0.0] * width for _ in range(height)]
    for y, x in ((y, x) for y in range(height) for x in range(width)):
        v, u = max(0.0, (y + 0.5) * h / height - 0.5), max(0.0, (x + 0.5) * w / width - 0.5)
        i, j = int(v), int(u)
        p, q, dv, du = min(i + 1, h - 1), min(j + 1, w - 1), v - i, u - j
        top = given[i][j] * (1 - du) + given[i][q] * du
        low = given[p][j] * (1 - du) + given[p][q] * du
        grown[y][x] = top * (1 - dv) + low * dv
    return torch.tensor(grown, dtype=torch.float64)


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


def truncated(g: Tensor, percent: float, over: str, strict: bool) -> Tensor:
    """What reaches the percentile of the positive values, of each channel or of the whole layer; 0 elsewhere."""
    rows = g.flatten(1) if over == "channel" else g.reshape(1, -1)
    return torch.stack([torch.from_numpy(truncated_row(row.numpy(), percent, strict)) for row in rows]).reshape(g.shape)


def truncated_row(row: np.ndarray, percent: float, strict: bool) -> np.ndarray:
    positive = np.sort(row[row > 0])
    if not len(positive):
        return np.zeros_like(row)
    place = percent * (len(positive) - 1) / 100
    below, above = positive[int(place)], positive[min(int(place) + 1, len(positive) - 1)]
    threshold = below if below == above or place == int(place) else np.percentile(positive, percent)
    return np.where((row > threshold if strict else row >= threshold) & (row > 0), row, 0)


def gradient_at(
    model: nn.Module, image: Tensor, layer: str, value: Tensor, score: Callable[[Tensor], Tensor]
) -> Tensor:
    """The gradient where the layer returns ``value``."""
    leaf = value[None].clone().requires_grad_()
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, _o: leaf)
    logits = model(image[None])
    handle.remove()
    return torch.autograd.grad(score(logits[0]), leaf)[0][0]


def combination(ccam: Any, place: int, classes: int) -> float:
    """g(place) of CCAM, by the paper's cases."""
    if ccam.combine == "top_bottom":
        return 1.0 if place <= ccam.top else -1.0 if place > classes - ccam.bottom else 0.0
    if ccam.combine == "rank":
        return float(place == (ccam.rank if ccam.rank > 0 else classes + 1 + ccam.rank))
    middle = (classes + 1) / 2
    if place <= middle:
        return ((place - middle) / (1 - middle)) ** ccam.eta
    return -(((place - middle) / (classes - middle)) ** ccam.eta)


def explicit_bias(module: nn.Module) -> Tensor:
    bias = module.bias.detach()
    if isinstance(module, nn.BatchNorm2d):
        bias = bias - module.running_mean * module.weight.detach() / (module.running_var + module.eps).sqrt()
    return bias


def fullgrad_psi(term: Tensor, size: torch.Size) -> Tensor:
    """The authors' post-processing of one image's term (C, h, w)."""
    scaled = term.abs() - term.abs().min()
    scaled = scaled / (scaled.max() + 1e-6)
    return interpolate(scaled[None], size=size, mode="bilinear", align_corners=True)[0].sum(0)
