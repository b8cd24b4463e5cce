"""Slow transcriptions of extractors that run the network again: ``CNN_REFERENCES[name](plugin, pair)`` -> its maps."""

import warnings
from collections.abc import Callable

import cam_oracle as oracle
import numpy as np
import torch
from sklearn.decomposition import NMF
from torch import Tensor, nn

from camforge.api import Extractor
from camforge.testing import ReferencePair

Reference = Callable[[Extractor, ReferencePair], list[Tensor]]


def guided(pair: ReferencePair, layer: str | None) -> tuple[Tensor, Tensor]:
    """A layer's activation, or the image, and its gradient behind ReLUs whose backward hooks cut negative gradients."""
    relus = [module for module in pair.network.modules() if isinstance(module, nn.ReLU | nn.ReLU6)]
    handles = [m.register_full_backward_hook(lambda _m, found, _given: (found[0].clamp(min=0),)) for m in relus]
    kept: list[Tensor] = []
    if layer is not None:
        module = pair.network.get_submodule(layer)
        handles.append(module.register_forward_hook(lambda _m, _i, out: kept.append(out)))
    image = pair.image[None].clone().requires_grad_()
    try:
        score = pair.score(pair.network(image)[0])
        (gradient,) = torch.autograd.grad(score, kept[0] if kept else image)
    finally:
        for handle in handles:
            handle.remove()
    return (kept[0] if kept else image)[0].detach(), gradient[0]


def bagcams(plugin, pair):
    """Place by place: each regional classifier's share, times the mean share of its channel."""
    maps = []
    for layer in pair.layers(plugin):
        a, g = guided(pair, layer) if plugin.relu == "guided" else pair.captured(layer)
        g = g / pair.score(pair.network(pair.image[None])[0]).detach()
        found = torch.zeros(a.shape[1:]).double()
        for channel, slope in zip(a, g, strict=True):
            share = [[float(channel[y, x] * slope[y, x]) for x in range(a.shape[2])] for y in range(a.shape[1])]
            mean = sum(1 + value for row in share for value in row) / channel.numel()
            for y, row in enumerate(share):
                for x, value in enumerate(row):
                    found[y, x] += max(0.0, mean * value)
        maps.append(found)
    return maps


def guidedbackprop(plugin, pair):
    _, g = guided(pair, None)
    return [g.abs().max(0).values if plugin.channels == "max" else g[0] + g[1] + g[2]]


def guidedgradcam(plugin, pair):
    _, g = guided(pair, None)
    maps = []
    for layer in pair.layers(plugin.base):
        heat = oracle.upsampled(getattr(oracle, plugin.base.name)(*pair.captured(layer)).clamp(min=0), *g.shape[1:])
        product = torch.stack([colour * heat for colour in g])
        maps.append(product.abs().max(0).values if plugin.channels == "max" else product.sum(0))
    return maps


def integratedgradcam(plugin, pair):
    maps = []
    for layer in pair.layers(plugin):
        steps = []
        for t in range(plugin.steps):
            image = plugin.baseline + t / plugin.steps * (pair.image - plugin.baseline)
            steps.append(oracle.gradcam(*pair.captured(layer, image=image)))
        maps.append(sum(steps) / plugin.steps)
    return maps


def reciprocam(plugin, pair):
    """The whole network, once per place, with a layer that returns the features of that place alone."""
    maps = []
    for layer in pair.layers(plugin):
        a = returned(pair, layer)
        found = torch.zeros(a.shape[1:]).double()
        for y, x in oracle.places(found):
            mask = torch.zeros_like(found)
            for dy, dx in ((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)):
                if 0 <= y + dy < mask.shape[0] and 0 <= x + dx < mask.shape[1]:
                    mask[y + dy, x + dx] = 2.0 ** -(2 + abs(dy) + abs(dx)) if plugin.gaussian else not (dy or dx)
            logits = with_output(pair, layer, a * mask)
            found[y, x] = float((logits.softmax(0) if plugin.output == "softmax" else logits)[pair.target])
        maps.append(oracle.unit(found))
    return maps


def returned(pair: ReferencePair, layer: str) -> Tensor:
    """What the layer returns, before the network adds to it in place."""
    kept: list[Tensor] = []
    handle = pair.network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: kept.append(out.clone()))
    pair.network(pair.image[None])
    handle.remove()
    return kept[0][0].detach()


def with_output(pair: ReferencePair, layer: str, values: Tensor) -> Tensor:
    """Logits (K,) where the layer returns (C, h, w)."""
    handle = pair.network.get_submodule(layer).register_forward_hook(lambda _m, _i, _o: values[None])
    try:
        return pair.network(pair.image[None])[0].detach()
    finally:
        handle.remove()


def dff(plugin, pair):
    """scikit-learn's own factorisation; each concept's features at every place of the layer."""
    maps = []
    for layer in pair.layers(plugin):
        a = returned(pair, layer)
        rows = a.flatten(1).numpy()
        shift = np.minimum(rows.min(1, keepdims=True), 0)
        nmf = NMF(plugin.count, init="nndsvda", solver="mu", tol=0, max_iter=plugin.iterations, random_state=0)
        with warnings.catch_warnings(action="ignore"):  # tol=0 never converges
            w = nmf.fit_transform(rows - shift)
        h = nmf.components_
        found = []
        for k in range(plugin.count):
            features = torch.from_numpy(w[:, k] * h[k].max() + shift[:, 0])
            logits = with_output(pair, layer, features[:, None, None].expand_as(a).contiguous())
            found.append((float(logits[pair.target]), torch.from_numpy(h[k] / h[k].max()).view(a.shape[1:])))
        maps.append(max(found, key=lambda one: one[0])[1])
    return maps


def polycam(plugin, pair):
    """The authors' recursion, a channel and an image at a time."""
    found = None
    for layer in reversed(pair.layers(plugin)):
        a, _ = pair.captured(layer)
        finer = sum(polycam_weight(plugin, pair, channel) * channel for channel in a).clamp(min=0)
        if found is not None:
            if plugin.local_norm:
                coarse = oracle.upsampled(finer, *found.shape)
                finer = finer / oracle.upsampled(coarse, *finer.shape).clamp(min=1e-12)
            finer = finer * oracle.upsampled(found, *finer.shape)
        found = finer
    return [found]


def polycam_weight(plugin: Extractor, pair: ReferencePair, channel: Tensor) -> float:
    low, high = np.percentile(channel.numpy(), [0.1, 99.9])
    mask = ((channel - low) / max(high, 1e-12)).clamp(0, 1)
    seen, rest = (oracle.upsampled(m, *pair.image.shape[1:]) for m in (mask, 1 - mask))
    whole, inside, outside = (
        float(pair.network((pair.image * m)[None])[0].softmax(0)[pair.target].detach()) for m in (1, seen, rest)
    )
    weights = {"plus": inside, "minus": max(0.0, whole - outside), "both": max(0.0, inside + whole - outside)}
    return weights[plugin.variant]


CNN_REFERENCES: dict[str, Reference] = {
    "bagcams": bagcams, "dff": dff, "guidedbackprop": guidedbackprop, "guidedgradcam": guidedgradcam,
    "integratedgradcam": integratedgradcam, "polycam": polycam, "reciprocam": reciprocam,
}  # fmt: skip
