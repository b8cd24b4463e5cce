"""What belongs to a model beside its weights: how a photograph is prepared for it, and what its outputs are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from camforge.capture import unwrap
from camforge.explanation.placement import Prepare
from camforge.types import CamForgeError, Network

_ATTRIBUTE = "_camforge_recipe"


@dataclass(frozen=True)
class Recipe:
    """A model's name, its preparation of photographs and the names of its outputs, as far as they are known."""

    name: str
    prepare: Prepare | None = None
    classes: tuple[str, ...] = ()

    @property
    def preparation(self) -> Prepare:
        """How photographs are prepared. Raises CamForgeError where it is not known."""
        if self.prepare is None:
            raise CamForgeError(f"how a photograph becomes the input of {self.name} is not known: give preprocess=")
        return self.prepare


def attach(model: nn.Module, recipe: Recipe) -> nn.Module:
    """Let the model carry its recipe, also through copies."""
    setattr(model, _ATTRIBUTE, recipe)
    return model


def recipe_of(model: nn.Module, classes: Sequence[str] = ()) -> Recipe:
    """What load_model attached, or what the model of a known library says of itself; other names of the outputs."""
    found = _recipe(unwrap(model))
    return replace(found, classes=tuple(classes)) if classes else found


def _recipe(model: nn.Module) -> Recipe:
    attached = getattr(model, _ATTRIBUTE, None)
    if isinstance(attached, Recipe):
        return attached
    body = model.body if isinstance(model, Network) else model
    name = type(body).__name__
    if hasattr(body, "pretrained_cfg"):
        return _timm(body)
    if hasattr(body, "config") and hasattr(body.config, "id2label"):
        return _transformers(body)
    if hasattr(body, "visual") and hasattr(body.visual, "preprocess_cfg"):
        return _open_clip(body)
    if type(body).__module__.startswith("torchvision.models."):
        return _torchvision(body) if not isinstance(model, Network) else Recipe(name)
    return Recipe(name)


def preparation(given: object) -> Prepare:
    """A preparation as people have it: torchvision's weights or transforms, a transformers processor, any function."""
    from torchvision.models import WeightsEnum

    if isinstance(given, WeightsEnum):
        given = given.transforms()
    if not callable(given):
        raise CamForgeError(f"preprocess: a {type(given).__name__} cannot be called with a photograph")
    if hasattr(given, "image_processor") or hasattr(given, "image_mean"):
        return partial(_processed, getattr(given, "image_processor", given))
    return partial(_called, given)


def _called(function: Callable[[Image.Image], Any], photograph: Image.Image) -> Tensor:
    return _as_input(function(photograph))


def _processed(processor: Callable[..., Any], photograph: Image.Image) -> Tensor:
    return _as_input(processor(images=photograph, return_tensors="pt"))


def _as_input(prepared: Any) -> Tensor:
    """(3, H, W) out of what a preparation returned."""
    if isinstance(prepared, Mapping) or hasattr(prepared, "pixel_values"):
        prepared = prepared["pixel_values"]
    if not isinstance(prepared, Sequence) and not hasattr(prepared, "dtype"):  # a PIL image, None, …
        what = type(prepared).__name__
        raise CamForgeError(f"preprocess: one photograph becomes floats (3, H, W), not of type {what}")
    tensor: Tensor = torch.as_tensor(prepared)
    if tensor.dim() == 4 and len(tensor) == 1:
        tensor = tensor[0]
    if tensor.dim() != 3 or not tensor.is_floating_point():
        kind = f"{tensor.dtype} of shape {tuple(tensor.shape)}"
        raise CamForgeError(f"preprocess: one photograph becomes floats (3, H, W), not {kind}")
    return tensor


def _torchvision(model: nn.Module) -> Recipe:
    """A bare model does not know its weights: ImageNet's usual preparation, which most of them were published with."""
    from torchvision.models import detection, segmentation
    from torchvision.transforms._presets import ImageClassification, ObjectDetection, SemanticSegmentation

    if type(model).__module__.startswith(detection.__name__):
        return Recipe(type(model).__name__, preparation(ObjectDetection()))
    if type(model).__module__.startswith(segmentation.__name__):
        return Recipe(type(model).__name__, preparation(SemanticSegmentation(resize_size=520)))
    return Recipe(type(model).__name__, preparation(ImageClassification(crop_size=224)), imagenet_classes(model))


def imagenet_classes(model: nn.Module) -> tuple[str, ...]:
    """ImageNet's thousand names, as torchvision spells them, for a model whose head has a thousand outputs."""
    from torchvision.models import MobileNet_V2_Weights

    heads = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if not heads or getattr(heads[-1], "out_features", getattr(heads[-1], "out_channels", 0)) != 1000:
        return ()
    return tuple(MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"])


def _timm(model: Any) -> Recipe:
    from timm.data import ImageNetInfo, create_transform, infer_imagenet_subset, resolve_model_data_config

    config, subset = resolve_model_data_config(model), infer_imagenet_subset(model)
    names = tuple(getattr(model, "pretrained_cfg", {}).get("label_names") or ())
    if not names and subset:
        names = tuple(ImageNetInfo(subset).label_descriptions())
    if len(names) != getattr(model, "num_classes", None):
        names = ()
    return Recipe(
        model.pretrained_cfg.get("architecture") or type(model).__name__,
        preparation(create_transform(**config, is_training=False)),
        names,
    )


def _transformers(model: Any) -> Recipe:
    folder = getattr(model.config, "_name_or_path", "")
    labels = model.config.id2label or {}
    names = tuple(str(labels[key]) for key in sorted(labels, key=int))
    return Recipe(Path(folder).name or type(model).__name__, _processor(folder) if folder else None, names)


def _processor(folder: str) -> Prepare | None:
    """The image processor saved beside the weights, from the folder or the library's own cache."""
    from transformers import AutoImageProcessor

    try:
        return preparation(AutoImageProcessor.from_pretrained(folder, local_files_only=True))
    except (OSError, ValueError):  # it was saved without one
        return None


def _open_clip(model: Any) -> Recipe:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    config = PreprocessCfg(**model.visual.preprocess_cfg)
    return Recipe(type(model).__name__, preparation(image_transform_v2(config, is_train=False)))
