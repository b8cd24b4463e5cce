"""The slow transcription of every built-in extractor: ``REFERENCES[name](plugin, pair)`` -> its maps, layer by layer.

Each is written from the paper's equation, on one image and one target in float64; ``cam_oracle`` holds the loops.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any
from zlib import crc32

import cam_oracle as oracle
import numpy as np
import slow_vit
import torch
from cnn_references import CNN_REFERENCES
from masked_references import MASKED_REFERENCES
from sklearn.decomposition import KernelPCA
from tiny_vits import slow_torchvision
from torch import Tensor, nn

from camforge.api import Extractor
from camforge.testing import ReferencePair

ATTENTION = ("attention_rollout", "attnlrp", "generic_attention", "legrad", "transformer_attribution")
"""Extractors that read what vision transformers alone have."""

Reference = Callable[[Extractor, ReferencePair], list[Tensor]]


def both(plugin: Extractor, pair: ReferencePair, score=None) -> Iterator[tuple[Tensor, Tensor]]:
    """Activation and truncated gradient of every layer that the extractor reads."""
    for layer in pair.layers(plugin):
        a, g = pair.captured(layer, score)
        yield a, truncated(plugin, g)


def truncated(plugin: Extractor, g: Tensor) -> Tensor:
    percent = getattr(plugin, "truncate", None)
    return g if percent is None else oracle.truncated(g, percent, plugin.truncate_over, plugin.truncate_strict)


def by_gradient(equation: Callable[[Tensor, Tensor], Tensor]) -> Reference:
    return lambda plugin, pair: [equation(a, g) for a, g in both(plugin, pair)]


def hirescam(plugin, pair):
    return [m.clamp(min=0) if plugin.rectify else m for m in by_gradient(oracle.hirescam)(plugin, pair)]


def eigencam(plugin, pair):
    return [oracle.eigencam(a, plugin.center) for a, _ in both(plugin, pair)]


def eigengradcam(plugin, pair):
    return [oracle.eigencam(a * g, plugin.center) for a, g in both(plugin, pair)]


def fem(plugin, pair):
    return [oracle.fem(a, plugin.sigmas) for a, _ in both(plugin, pair)]


def kpcacam(plugin, pair):
    """scikit-learn's kernel PCA."""
    maps = []
    for a, _ in both(plugin, pair):
        rows = a.flatten(1).T.numpy()
        rows = rows - rows.mean(0)
        pca = KernelPCA(1, kernel=plugin.kernel, gamma=plugin.gamma, coef0=1, degree=plugin.degree)
        component = pca.fit_transform(rows)[:, 0]
        sign = np.sign((component * rows.mean(1)).sum())
        maps.append(torch.from_numpy(sign * component).reshape(a.shape[1:]))
    return maps


def smoothgradcampp(plugin, pair):
    source = torch.Generator().manual_seed(plugin.seed)
    noises = [plugin.std * torch.randn(pair.image.shape, generator=source) for _ in range(plugin.samples)]
    maps = []
    for layer in pair.layers(plugin):
        noisy = [truncated(plugin, pair.captured(layer, image=pair.image + noise)[1]) for noise in noises]
        maps.append(oracle.smoothgradcampp(pair.captured(layer)[0], noisy))
    return maps


def shapleycam(plugin, pair):
    """H A by finite differences of the gradient along A, a step that crosses no kink of a ReLU."""
    utility = {
        "rest": lambda row: row[pair.target] + torch.log_softmax(row, 0)[pair.target],
        "softmax": lambda row: torch.softmax(row, 0)[pair.target],
        "logit": pair.score,
    }[plugin.score]
    maps = []
    for layer in pair.layers(plugin):
        a, g = pair.captured(layer, utility)
        up, down = (oracle.gradient_at(pair.network, pair.image, layer, a * s, utility) for s in (1 + 1e-5, 1 - 1e-5))
        maps.append(oracle.gradcam(a, truncated(plugin, g - (up - down) / 2e-5 / 2)))
    return maps


def finercam(plugin, pair):
    logits = pair.network(pair.image[None])[0].tolist()
    apart = sorted((abs(y - logits[pair.target]), k) for k, y in enumerate(logits) if k != pair.target)
    nearest = [k for _, k in apart[: plugin.references]]

    def score(row: Tensor) -> Tensor:
        return row[pair.target] - plugin.gamma * sum(row[k] for k in nearest) / len(nearest)

    return [getattr(oracle, plugin.base.name)(a, g) for a, g in both(plugin.base, pair, score)]


def refinecam(plugin, pair):
    maps = [oracle.unit(m.clamp(min=0)) for m in REFERENCES[plugin.base.name](plugin.base, pair)]
    height, width = max((m.shape for m in maps), key=lambda shape: shape.numel())
    return [math.prod(oracle.upsampled(m, height, width) for m in maps)]


def sim(plugin, pair):
    maps = [g.clamp(min=0).sum(0) for _, g in both(plugin, pair)]
    if plugin.merge is None:
        return maps
    height, width = max((m.shape for m in maps), key=lambda shape: shape.numel())
    grown = [oracle.upsampled(m, height, width) for m in maps]
    return [sum(m / m.max() for m in grown)]


def featurewalk(plugin, pair):
    """Place by place: cosines of the features to the power, balanced, and the map as a vector times the matrix."""
    layers = [pair.captured(name)[0] for name in pair.layers(type(plugin.base)(layers=plugin.features))]
    height, width = max((a.shape[1:] for a in layers), key=lambda shape: shape.numel())
    columns = []
    for a in layers:
        unit = a / a.norm(dim=0).clamp(min=1e-12)
        grown = torch.stack([oracle.upsampled(channel, height, width) for channel in unit])
        columns.append(grown / grown.norm(dim=0).clamp(min=1e-12))
    places = torch.cat(columns).flatten(1).T
    places = places / places.norm(dim=1, keepdim=True).clamp(min=1e-12)
    matrix = np.array([[max(0.0, float(x @ y)) ** plugin.power for y in places] for x in places])
    for _ in range(plugin.rounds):
        matrix /= matrix.sum(1)[:, None]
        matrix /= matrix.sum(0)[None]
    matrix = (matrix + matrix.T) / 2
    matrix /= matrix.sum(1)[:, None]
    walked = []
    for m in REFERENCES[plugin.base.name](plugin.base, pair):
        vector = oracle.upsampled(m, height, width).flatten().numpy()
        for _ in range(plugin.steps):
            vector = matrix @ vector
        walked.append(torch.from_numpy(vector).view(height, width))
    return walked


def scored(plugin: Extractor, pair: ReferencePair, row: Tensor) -> float:
    return float((row if plugin.output == "logit" else row.softmax(0))[pair.target].detach())


def scorecam(plugin, pair):
    return [
        oracle.scorecam(pair.network, pair.image, a, lambda row: scored(plugin, pair, row))
        for a, _ in both(plugin, pair)
    ]


def masked(plugin: Extractor, pair: ReferencePair, images: Callable[[int, Tensor], list[Tensor]]) -> list[Tensor]:
    """Score-CAM whose gain is a mean of scores: of the images that channel k's mask makes."""
    maps = []
    for a, _ in both(plugin, pair):
        gains = []
        for k, channel in enumerate(a):
            variants = images(k, oracle.unit(oracle.upsampled(channel, *pair.image.shape[1:])))
            gains.append(sum(scored(plugin, pair, pair.network(x[None])[0]) for x in variants) / len(variants))
        maps.append(oracle.weighted(oracle.softmax(gains), a))
    return maps


def sscam(plugin, pair):
    (layer,) = pair.layers(plugin)
    channels = len(pair.captured(layer)[0])

    def noisy(k: int, mask: Tensor) -> list[Tensor]:
        seeds = [(plugin.seed << 32) + sample * channels + k for sample in range(plugin.samples)]
        noises = [torch.randn(mask.shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return [pair.image * (mask + plugin.std * noise) for noise in noises]

    return masked(plugin, pair, noisy)


def iscam(plugin, pair):
    def accumulated(_k: int, mask: Tensor) -> list[Tensor]:
        images = [torch.zeros_like(pair.image)]
        for step in range(1, plugin.steps + 1):
            images.append(images[-1] + step / plugin.steps * mask * pair.image)
        return images[1:]

    return masked(plugin, pair, accumulated)


def ablationcam(plugin, pair):
    return [oracle.ablationcam(pair.network, pair.image, layer, pair.target) for layer in pair.layers(plugin)]


def class_map(pair: ReferencePair, output: int) -> Tensor:
    """sum_k w[c,k] A_k of the last stage."""
    (layer,) = pair.layers(None)
    a, _ = pair.captured(layer)
    rows = pair.network.class_features()
    return oracle.placewise(a, rows[output][:, None, None].expand_as(a), lambda x, w: x * w)


def cam(_plugin, pair):
    return [class_map(pair, pair.target)]


def ccam(plugin, pair):
    logits = pair.network(pair.image[None])[0].tolist()
    order = sorted(range(len(logits)), key=lambda k: -logits[k])
    if plugin.anchor == "target_first":
        order = [pair.target, *(k for k in order if k != pair.target)]
    total = torch.zeros_like(class_map(pair, 0))
    for place, output in enumerate(order, start=1):
        total += oracle.combination(plugin, place, len(order)) * class_map(pair, output)
    return [total]


def fullgrad(plugin, pair):
    """The input's term and those of every convolution's and BatchNorm's bias, of the outputs that have places."""
    outputs: dict[str, Tensor] = {}
    layers = {n: m for n, m in pair.network.named_modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)}
    layers = {name: module for name, module in layers.items() if module.bias is not None}
    handles = [
        module.register_forward_hook(lambda _m, _i, out, name=name: outputs.update({name: out}) or out.clone())
        for name, module in layers.items()
    ]
    image = pair.image[None].clone().requires_grad_()
    score = pair.score(pair.network(image)[0])
    for handle in handles:
        handle.remove()
    gradients = torch.autograd.grad(score, [image, *outputs.values()])
    total = oracle.fullgrad_psi((image * gradients[0])[0].detach(), pair.image.shape[1:])
    for name, gradient in zip(outputs, gradients[1:], strict=True):
        term = truncated(plugin, gradient[0]) * oracle.explicit_bias(layers[name])[:, None, None]
        total = total + oracle.fullgrad_psi(term, pair.image.shape[1:])
    return [total]


def by_attention(equation: Callable[[Any, slow_vit.Run, int], Tensor]) -> Reference:
    """Of torchvision's vision transformer: one value per token, the class token first -> the grid of the others."""

    def reference(plugin, pair):
        run = slow_torchvision(pair.network).run(pair.image)
        places = equation(plugin, run, pair.target).detach()[1:]
        return [places.reshape(math.isqrt(len(places)), -1)]

    return reference


def beside(plugin, pair):
    """Each by itself."""
    return [m for inner in plugin.extractors for m in REFERENCES[inner.name](inner, pair)]


def pixels(_plugin, pair):
    """Place by place: the ratio of the target's share of a softmax to that of the target and the background."""
    body = pair.network.body
    kept = []
    handles = [body.classifier.get_submodule(n).register_forward_hook(lambda _m, _i, o: kept.append(o[0].detach()))
               for n in body.layers]  # fmt: skip
    body(pair.image[None])
    for handle in handles:
        handle.remove()
    height, width = max((a.shape[1:] for a in kept), key=lambda shape: shape.numel())
    grown = [
        torch.stack([oracle.upsampled(c, height, width) for c in a / a.norm(dim=0).clamp(min=1e-12)]) for a in kept
    ]
    features = torch.cat(grown)
    first, last = body.pixels[0], body.pixels[-1]
    out = torch.zeros(height, width, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            hidden = (first.weight.detach()[:, :, 0, 0] @ features[:, y, x] + first.bias.detach()).clamp(min=0)
            shares = (last.weight.detach()[:, :, 0, 0] @ hidden + last.bias.detach()).exp()
            out[y, x] = shares[1 + pair.target] / (shares[0] + shares[1 + pair.target])
    return [out]


def affinitywalk(plugin, pair):
    """Pair of places by pair of places: a matrix of chances, and the map as a vector times it."""
    kept = []
    handle = pair.network.body.affinity.register_forward_hook(lambda _m, _i, o: kept.append(o[0].detach()))
    pair.network(pair.image[None])
    handle.remove()
    _, height, width = kept[0].shape
    places = [(y, x) for y in range(height) for x in range(width)]
    matrix = np.zeros((len(places), len(places)))
    for i, (y, x) in enumerate(places):
        for j, (v, u) in enumerate(places):
            if math.hypot(y - v, x - u) < plugin.radius:
                apart = sum(abs(float(a - b)) for a, b in zip(kept[0][:, y, x], kept[0][:, v, u], strict=True))
                matrix[i, j] = math.exp(-apart) ** plugin.power
        matrix[i] /= matrix[i].sum()
    walked = []
    for m in REFERENCES[plugin.base.name](plugin.base, pair):
        vector = oracle.upsampled(m, height, width).flatten().numpy()
        walked.append(torch.from_numpy(np.linalg.matrix_power(matrix, plugin.steps) @ vector).view(height, width))
    return walked


def lpcam(_plugin, pair):
    """Prototype by prototype: the mean cosine to those of the target less the mean cosine to those of its context."""
    body, target, kept = pair.network.body, pair.target, []
    handle = body.classifier.get_submodule(body.layers[0]).register_forward_hook(
        lambda _m, _i, o: kept.append(o[0].detach())
    )
    body(pair.image[None])
    handle.remove()
    own, context = [], []
    head, options = body.prototypes, body.prototypes.options
    for kind, found in enumerate((own, context)):
        for j in range(options.clusters):
            if not head.counts[kind, target, j]:
                continue
            mean = head.sums[kind, target, j] / head.counts[kind, target, j]
            share = math.exp(mean[target]) / sum(math.exp(score) for score in mean)
            centre = len(kept[0]) ** 0.5 * head.start[kind, target, j] + head.moved[kind, target, j].detach()
            found.append((share, centre))
    best = max(share for share, _ in own)
    own = [centre for share, centre in own if share > options.sure or share == best]
    context = [centre for share, centre in context if options.context[0] < share < options.context[1]]
    out = torch.zeros(kept[0].shape[1:], dtype=torch.float64)
    for y, x in itertools.product(*map(range, out.shape)):
        f = kept[0][:, y, x]
        to_own, to_context = (
            sum(float(f @ c) / max(float(f.norm() * c.norm()), 1e-12) for c in centres) / max(1, len(centres))
            for centres in (own, context)
        )
        out[y, x] = max(0.0, to_own - to_context)
    return [out]


def boundarywalk(plugin, pair):
    """A matrix of chances, squared again and again as IRN does it."""
    kept = []
    handle = pair.network.body.relations.boundary.register_forward_hook(lambda _m, _i, o: kept.append(o[0, 0].detach()))
    pair.network(pair.image[None])
    handle.remove()
    boundary = 1 / (1 + np.exp(-kept[0].numpy()))
    height, width = boundary.shape
    places = [(y, x) for y in range(height) for x in range(width)]
    matrix = np.eye(len(places))
    for i, one in enumerate(places):
        for j, other in enumerate(places):
            if i != j and math.dist(one, other) < plugin.radius:
                matrix[i, j] = (1 - max(boundary[place] for place in line(one, other))) ** plugin.power
        matrix[i] /= matrix[i].sum()
    times = plugin.steps.bit_length() - 1
    assert plugin.steps == 2**times
    for _ in range(times):
        matrix = matrix @ matrix
    walked = []
    for m in REFERENCES[plugin.base.name](plugin.base, pair):
        vector = (oracle.upsampled(m, height, width).numpy() * (1 - boundary)).flatten()
        walked.append(torch.from_numpy(matrix @ vector).view(height, width))
    return walked


def line(one, other):
    """Places of the rectangle between two that lie nearer than 1 to the line through them, by the point on it."""
    (top, bottom), (left, right) = (sorted(pair) for pair in zip(one, other, strict=True))
    direction = np.subtract(other, one) / math.dist(one, other)
    for place in itertools.product(range(top, bottom + 1), range(left, right + 1)):
        there = np.subtract(place, one)
        if np.linalg.norm(there - (there @ direction) * direction) < 1 - 1e-9:
            yield place


def random(plugin, pair):
    """Noise that depends on the image's bytes, the target and the seed alone."""
    seed = crc32(pair.image.numpy().tobytes(), crc32(f"{plugin.seed}/{pair.target}".encode()))
    return [
        torch.rand(a.shape[1:], generator=torch.Generator().manual_seed(seed)).double() for a, _ in both(plugin, pair)
    ]


REFERENCES: dict[str, Reference] = CNN_REFERENCES | MASKED_REFERENCES | {
    "attention_rollout": by_attention(lambda p, run, _: slow_vit.rollout(run, p.heads, p.discard)),
    "attnlrp": by_attention(lambda p, run, target: slow_vit.attnlrp(run, target, p.gamma)),
    "generic_attention": by_attention(lambda _, run, target: slow_vit.generic_attention(run, target)),
    "transformer_attribution": by_attention(lambda _, run, target: slow_vit.transformer_attribution(run, target)),
    "ablationcam": ablationcam, "affinitywalk": affinitywalk, "boundarywalk": boundarywalk,
    "cam": cam, "ccam": ccam, "eigencam": eigencam, "eigengradcam": eigengradcam,
    "elementwise": by_gradient(oracle.elementwise), "fem": fem, "finercam": finercam, "fullgrad": fullgrad,
    "gradcam": by_gradient(oracle.gradcam), "gradcampp": by_gradient(oracle.gradcampp), "hirescam": hirescam,
    "iscam": iscam, "kpcacam": kpcacam, "layercam": by_gradient(oracle.layercam),
    "legrad": by_attention(lambda p, run, target: slow_vit.legrad(run, target, p.pooled)),
    "ltfullgrad": fullgrad, "ltgradcam": by_gradient(oracle.gradcam), "ltlayercam": by_gradient(oracle.layercam),
    "random": random, "refinecam": refinecam, "scorecam": scorecam, "shapleycam": shapleycam,
    "featurewalk": featurewalk, "sim": sim, "beside": beside, "pixels": pixels, "lpcam": lpcam,
    "smoothgradcampp": smoothgradcampp, "sscam": sscam, "xgradcam": by_gradient(oracle.xgradcam),
}  # fmt: skip
