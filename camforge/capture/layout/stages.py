"""The stages of a model, where class maps are read: of families that are known, and found in any other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod

from torch import nn

from camforge.capture.layout.grids import Grids
from camforge.capture.layout.layout import Layout
from camforge.types import CamForgeError, Network

# Stages of torchvision's families; MobileNetV2 before each halving.
_FAMILIES: dict[str, tuple[str, ...]] = {
    "ResNet": ("layer1", "layer2", "layer3", "layer4"),
    "GoogLeNet": ("conv1", "conv3", "inception3b", "inception4e", "inception5b"),
    "Inception3": (
        *("Conv2d_1a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
        *("Mixed_5d", "Mixed_6e", "Mixed_7c"),
    ),
    "MobileNetV2": tuple(f"features.{i}" for i in (1, 3, 6, 13, 18)),
    "DenseNet": ("features.denseblock1", "features.denseblock2", "features.denseblock3", "features.norm5"),
    "SqueezeNet": ("features.2", "features.5", "features.12"),
    "ConvNeXt": ("features.1", "features.3", "features.5", "features.7"),
    "MaxVit": ("blocks.0", "blocks.1", "blocks.2", "blocks.3"),
    "SwinTransformer": ("features.1", "features.3", "features.5", "features.7"),
}
_ATTENTION_NORMS = ("ln_1", "norm1", "layernorm_before", "layer_norm1")  # of torchvision, timm and transformers
_BACKBONES = (r"(^|\.)backbone\.body\.", r"(^|\.)backbone\.")


def known_stages(model: nn.Module) -> tuple[str, ...]:
    """The stages of a Network and of torchvision's families; none for other models."""
    if isinstance(model, Network):
        return tuple(f"body.{stage}" for stage in model.stages)
    family = type(model).__name__
    if not type(model).__module__.startswith("torchvision.models."):
        return ()
    if family in ("VGG", "AlexNet"):
        return _before_pools(model)
    known = {name for name, _ in model.named_modules()}
    return _FAMILIES[family] if family in _FAMILIES and set(_FAMILIES[family]) <= known else ()


def _before_pools(model: nn.Module) -> tuple[str, ...]:
    """What each pool of ``features`` reads: in VGG-16 the ReLUs 3, 8, 15, 22 and 29."""
    layers = enumerate(model.get_submodule("features").children())
    return tuple(f"features.{i - 1}" for i, layer in layers if isinstance(layer, nn.MaxPool2d))


@dataclass(frozen=True)
class _Candidate:
    """A call whose places follow the image: ``name`` with its #k if it is one of several, ``order`` of finishing."""

    name: str
    order: int
    module: nn.Module
    layout: Layout
    places: int
    channels: int

    @property
    def depth(self) -> int:
        return self.name.count(".")

    @property
    def path(self) -> str:
        return self.name.partition("#")[0]


def found_stages(model: nn.Module, grids: Grids) -> tuple[str, ...]:
    """The last of the outermost modules at each number of places, down to the smallest; found by an intervention.

    What comes behind the smallest (a decoder), pools to a fixed size and maps of the model's own outputs are no stages.
    Where tokens pass through blocks, the stages are what the blocks' attention reads: behind the last one the tokens of
    a network that reads a class token alone have no gradient.
    Raises CamForgeError where no layer's places follow the image.
    """
    candidates = _candidates(model, grids)
    if not candidates and grids.look_again():
        candidates = _candidates(model, grids)
    if not candidates:
        raise CamForgeError(
            f"{type(model).__name__} has no layer with a spatial extent whose places follow the image, with the images "
            "on its first axis: name the layers to read"
        )
    smallest = min(c.places for c in candidates)
    end = max(i for i, c in enumerate(candidates) if c.places == smallest)
    encoder = candidates[: end + 1]
    sizes: dict[int, list[_Candidate]] = {}
    for candidate in encoder:
        sizes.setdefault(candidate.places, []).append(candidate)
    last = sorted((max(same, key=lambda c: (-c.depth, c.order)) for same in sizes.values()), key=lambda c: c.order)
    inputs = _attention_inputs(encoder) if last[-1].layout.grid is not None else []
    return tuple(c.name for c in inputs or last)


def _candidates(model: nn.Module, grids: Grids) -> list[_Candidate]:
    """Every call whose places follow the image, in the order in which they finished."""
    modules, calls = dict(model.named_modules()), grids.intervention.calls
    fixed = _behind_fixed_pools(modules)
    found = []
    for order, name in enumerate(calls):
        path = name.partition("#")[0]
        if not path or len(calls[name].shape) < 3 or path in fixed or calls[name].named:
            continue
        layout = grids.settled(name, search=False)
        if isinstance(layout, Layout):
            shape = calls[name].shape
            alone = f"{path}#1" not in calls
            places = prod(layout.grid) if layout.grid else prod(shape) // shape[layout.channels]
            if places > 1:
                channels = shape[layout.channels]
                found.append(_Candidate(path if alone else name, order, modules[path], layout, places, channels))
    found = _leading_to_output(found, grids)
    return _without_outputs(_in_backbone(found), calls["#0"].shape if "#0" in calls else ())


def _leading_to_output(candidates: list[_Candidate], grids: Grids) -> list[_Candidate]:
    """Without those that the output is not made of, such as an auxiliary head or tokens beside a class token."""
    used = grids.leading_to_output() if candidates else None
    kept = [c for c in candidates if used is None or (c.name if "#" in c.name else f"{c.name}#0") in used]
    return kept or candidates


def _behind_fixed_pools(modules: dict[str, nn.Module]) -> set[str]:
    """Pools to a fixed size, and what follows them in a Sequential: the branches of a pyramid."""
    found = {name for name, m in modules.items() if isinstance(m, nn.modules.pooling._AdaptiveAvgPoolNd)}
    for name, module in modules.items():
        if isinstance(module, nn.Sequential):
            children = [f"{name}.{child}" if name else child for child, _ in module.named_children()]
            pools = [i for i, child in enumerate(children) if child in found]
            after = children[pools[0] :] if pools else []
            found |= {path for path in modules if any(path == a or path.startswith(f"{a}.") for a in after)}
    return found


def _in_backbone(candidates: list[_Candidate]) -> list[_Candidate]:
    """Those inside of a part that is called backbone, where there is one: heads read several sizes of it at once."""
    for pattern in _BACKBONES:
        inside = [c for c in candidates if re.search(pattern, c.path)]
        if inside:
            return inside
    return candidates


def _without_outputs(candidates: list[_Candidate], output: tuple[int, ...]) -> list[_Candidate]:
    """Without the last maps if they have a channel per output: they are the logits, place by place."""
    kept = list(candidates)
    while len(kept) > 1 and len(output) > 1 and kept[-1].channels == output[1]:
        kept.pop()
    return kept


def _attention_inputs(candidates: list[_Candidate]) -> list[_Candidate]:
    """What the attention of repeated blocks reads: the norm before it, or where that comes behind, the block before.

    Of blocks at several sizes the last at each, of blocks at one size the last of each quarter.
    """
    groups: dict[str, list[_Candidate]] = {}
    for candidate in candidates:
        if _is_norm(candidate.module) and candidate.layout.grid is not None:
            groups.setdefault(re.sub(r"(^|(?<=[._]))\d+(?=\.)", "*", candidate.path), []).append(candidate)
    repeated = {
        pattern: len(same) for pattern, same in groups.items()
        if any(norm.places == candidates[-1].places for norm in same)
        and (len(same) > 1 or pattern.endswith(_ATTENTION_NORMS))
    }  # fmt: skip
    if not repeated:
        return []
    norms = groups[max(repeated, key=lambda pattern: (repeated[pattern], pattern.count("*")))]
    before = [_before_attention(candidates, norm) for norm in norms]
    sizes = {c.places: c for c in before}
    if len(sizes) > 1:
        return list(sizes.values())
    quarters = [before[max(0, len(before) * quarter // 4 - 1)] for quarter in (1, 2, 3, 4)]
    return list(dict.fromkeys(quarters))


def _is_norm(module: nn.Module) -> bool:
    """By its class's name; a norm together with the linear layer before it is none."""
    return "norm" in type(module).__name__.lower() and not any(isinstance(m, nn.Linear) for m in module.modules())


def _before_attention(candidates: list[_Candidate], norm: _Candidate) -> _Candidate:
    """The norm, or what the block reads if attention ran before the norm in its block."""
    block = norm.path.rpartition(".")[0] + "."
    inside = [c for c in candidates if c.path.startswith(block) and c.order < norm.order]
    if not any("attention" in type(c.module).__name__.lower() for c in inside):
        return norm
    ahead = [c for c in candidates if c.order < inside[0].order and c.places == norm.places]
    return ahead[-1] if ahead else norm
