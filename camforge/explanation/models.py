"""Models by name: torchvision's, timm's, transformers', open_clip's and those of backbone plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from camforge.explanation.recipe import Recipe, attach, imagenet_classes, preparation, recipe_of
from camforge.host.registry import build, registry
from camforge.interfaces import Backbone
from camforge.interfaces.base import choices, nearest
from camforge.types import CamForgeError
from camforge.weights import is_weights_file, load_state_dict, read_state_dict

RANDOM = "random"
"""In the place of weights: an untrained network, to try things out."""
LIBRARIES = ("torchvision:", "timm:", "hf:", "open_clip:")
"""What the name of a library's model begins with."""


def load_model(name: str, weights: str | Path | None = None) -> nn.Module:
    """A model by name, in eval mode, that knows how its photographs are prepared and what its outputs are called.

    name     "torchvision:resnet50", "timm:convnext_tiny", "hf:FOLDER" (or an id of the hub), "open_clip:RN50:openai",
             or the name of a backbone plugin or of a model of torchvision alone
    weights  None: those that the library publishes, from its cache or fetched once; one of torchvision's names; a file
             of weights, which tells the number of outputs too; "random" for an untrained network, to try things out
    The model is the library's own. Raises CamForgeError where the name is unknown, the library is not installed, the
    weights cannot be had, or some of the network would stay random.
    """
    kind, colon, rest = name.partition(":")
    if not colon:
        kind, rest = _kind_of(name), name
    if kind not in _LOADERS:
        raise CamForgeError(f"unknown kind of model {kind!r} in {name!r}; {choices(kind, _LOADERS)}")
    given = None if weights is None else str(weights)
    if given not in (None, RANDOM) and kind != "torchvision" and not is_weights_file(str(given)):
        raise CamForgeError(f"no such file of weights: {given}")
    return _LOADERS[kind](rest, given).eval()


def _kind_of(name: str) -> str:
    from torchvision.models import list_models

    known = list_models()
    if name in known:
        return "torchvision"
    if name in registry().plugins["backbone"]:
        return "backbone"
    hint = nearest(name, [*registry().plugins["backbone"], *known])
    kinds = ", ".join(f"{kind}:…" for kind in _LOADERS if kind != "backbone")
    raise CamForgeError(f"unknown model {name!r}; {hint}known: backbone plugins, torchvision's models, {kinds}")


def _backbone(name: str, weights: str | None) -> nn.Module:
    return _built({"name": name}, weights)


def _torchvision(arch: str, weights: str | None) -> nn.Module:
    from torchvision import models

    if arch not in models.list_models():
        hint = nearest(arch, models.list_models())
        raise CamForgeError(f"torchvision has no model {arch!r}; {hint}see torchvision.models.list_models()")
    published = models.get_model_weights(arch)
    named = published.__members__.get(weights or "DEFAULT")
    if arch in models.list_models(module=models):
        body = _built({"name": "torchvision", "arch": arch}, weights or "DEFAULT").get_submodule("body")
    else:
        try:
            body = models.get_model(arch, weights=named, weights_backbone=None)
        except (OSError, RuntimeError) as error:
            raise CamForgeError(f"weights of torchvision's {arch} could not be fetched: {error}") from None
        if named is None and weights != RANDOM:
            load_state_dict(body, read_state_dict(str(weights)), "", f"weights {weights!r} for {arch}", new_head=False)
    best = named or next(iter(published), None)
    names = tuple((named.meta if named else {}).get("categories", ()))
    prepare = preparation(best) if best else None
    return attach(body, Recipe(arch, prepare, names or imagenet_classes(body)))


def _timm(arch: str, weights: str | None) -> nn.Module:
    return _named(_built({"name": "timm", "arch": arch}, weights or "DEFAULT").get_submodule("body"), arch)


def _transformers(folder: str, weights: str | None) -> nn.Module:
    """Of the class that the folder's configuration names: a classifier, a detector, CLIP, …"""
    try:
        import transformers
    except ImportError:
        raise CamForgeError("transformers is not installed: pip install 'camforge[transformers]'") from None
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
        cls = getattr(transformers, (config.architectures or ["AutoModelForImageClassification"])[0])
        if weights is not None:
            model = cls._from_config(config)
        else:
            model, loading = cls.from_pretrained(folder, output_loading_info=True)
    except Exception as error:  # a missing folder or download, a broken file, a model of another field
        said = (str(error) or type(error).__name__).strip().splitlines()[0]
        where = "" if Path(folder).is_dir() else "no such folder here, and of the hub: "
        raise CamForgeError(f"hf:{folder}: {where}{said}") from None
    if weights is None and (missing := [*loading["missing_keys"]]):
        raise CamForgeError(f"hf:{folder}: the weights lack {', '.join(missing[:3])}, which would stay random")
    if weights not in (None, RANDOM):
        load_state_dict(
            model, read_state_dict(str(weights)), "", f"weights {weights!r} for hf:{folder}", new_head=False
        )
    model.config._name_or_path = folder
    return _named(model, Path(folder).name)


def _open_clip(name: str, weights: str | None) -> nn.Module:
    try:
        import open_clip
    except ImportError:
        raise CamForgeError("open_clip is not installed: pip install 'camforge[open_clip]'") from None
    arch, _, tag = name.partition(":")
    if arch not in open_clip.list_models():
        hint = nearest(arch, open_clip.list_models())
        raise CamForgeError(f"open_clip has no model {arch!r}; {hint}see open_clip.list_models()")
    if not tag and weights is None:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(arch)[:5])
        raise CamForgeError(f"open_clip:{arch} has no weights: name them, as in open_clip:{arch}:TAG; there are {tags}")
    try:
        model = open_clip.create_model(arch, pretrained=tag or None)
    except Exception as error:
        said = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise CamForgeError(f"open_clip:{name}: {said}") from None
    if weights not in (None, RANDOM):
        load_state_dict(model, read_state_dict(str(weights)), "", f"weights {weights!r} for {arch}", new_head=False)
    return _named(model, arch)


_LOADERS: Mapping[str, Callable[[str, str | None], nn.Module]] = {
    "torchvision": _torchvision, "timm": _timm, "hf": _transformers, "open_clip": _open_clip, "backbone": _backbone,
}  # fmt: skip


def _built(spec: Mapping[str, Any], weights: str | None) -> nn.Module:
    """A backbone plugin's network, trained throughout unless it was asked for random."""
    random = weights == RANDOM
    plugin = build("backbone", dict(spec) if weights is None or random else {**spec, "weights": weights})
    return plugin.build(1000 if random else _trained(plugin, str(spec.get("arch", spec["name"])), weights))


def _trained(plugin: Backbone, model: str, weights: str | None) -> int:
    outputs = plugin.trained_outputs()
    if outputs is None and weights is None:
        hint = "; give weights" if "weights" in plugin.options() else ""
        raise CamForgeError(f"model {model!r} has no trained weights: its maps would mean nothing{hint}")
    if outputs is None:
        raise CamForgeError(f"model {model!r}: the weights {weights!r} hold no head for it, which would stay random")
    return outputs


def _named(model: nn.Module, name: str) -> nn.Module:
    return attach(model, replace(recipe_of(model), name=name))
