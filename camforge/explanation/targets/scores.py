"""Numbers of what is no plain classifier: scores per class of any model, regions, texts, another image's embedding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from camforge.capture.structures import logits_of
from camforge.explanation.recipe import Recipe, attach, recipe_of
from camforge.explanation.targets.detected import classes_of, no_object_is_last
from camforge.types import CamForgeError


class Regions:
    """``select=`` for segmentation: (N, C, h, w) scores -> (N, C): each class's mean over its region.

    mask  (h, w) or (N, h, w) bool, the region of every class; None: of each class where it is the highest, its own
          predicted region. A class that is nowhere has 0, and a map that is zero everywhere

        explain(network, images, "cat", select=Regions())
    """

    def __init__(self, mask: Tensor | None = None) -> None:
        self.mask = mask

    def __call__(self, output: Any) -> Tensor:
        """Reads a tensor, torchvision's dict with "out", and ``.logits``. Raises CamForgeError for others."""
        if isinstance(output, Mapping) and "out" in output:
            output = output["out"]
        scores = getattr(output, "logits", output)
        if not isinstance(scores, Tensor) or scores.dim() != 4:
            raise CamForgeError(f"Regions: a {type(output).__name__} holds no scores (N, C, h, w) of pixels")
        if self.mask is None:
            region = (
                scores.argmax(1, keepdim=True) == torch.arange(scores.shape[1], device=scores.device)[:, None, None]
            )
        else:
            mask = self.mask if self.mask.dim() == 3 else self.mask[None]
            if mask.shape[-2:] != scores.shape[-2:] or len(mask) not in (1, len(scores)):
                raise CamForgeError(f"Regions: the mask is {tuple(mask.shape)}, the scores are {tuple(scores.shape)}")
            region = mask[:, None].to(scores.device, torch.bool)
        inside = torch.where(region, scores, 0).sum((2, 3))
        return inside / region.expand_as(scores).sum((2, 3)).clamp(min=1)


class ClassScores:
    """What explain() reads where no ``select=`` is given: (N, K), one number per class.

    Of detectors the score of each class's best box (torchvision's boxes; DETR and its kin, without "no object"),
    0 where there is none; of segmentation networks each class's mean over its own predicted region; of any other model
    its logits.
    """

    def __init__(self, model: nn.Module) -> None:
        self.classes = classes_of(model)

    def __call__(self, output: Any) -> Any:
        first = output[0] if isinstance(output, list) and output else None
        if isinstance(first, Mapping) and {"boxes", "scores", "labels"} <= first.keys():
            return torch.stack([self._best(image["scores"], image["labels"]) for image in output])
        if hasattr(output, "pred_boxes") and hasattr(output, "logits"):
            last = -1 if no_object_is_last(output, self.classes) else None
            return output.logits[..., :last].amax(1)
        scores = output["out"] if isinstance(output, Mapping) and "out" in output else logits_of(output)
        return Regions()(scores) if isinstance(scores, Tensor) and scores.dim() == 4 else scores

    def _best(self, scores: Tensor, labels: Tensor) -> Tensor:
        """(A,) scores of boxes -> (K,)."""
        if not self.classes:
            raise CamForgeError("how many classes this detector has is not known: give select=DetectedBox(box)")
        return scores.new_zeros(self.classes).scatter_reduce(0, labels, scores, "amax")


class SimilarTo:
    """A target for embeddings: the cosine between an image's embedding (K,) and a given one.

    explain(model, images, SimilarTo(model(other)[0]))
    """

    label = "similar"

    def __init__(self, embedding: Tensor) -> None:
        if embedding.dim() != 1:
            raise CamForgeError(f"SimilarTo: one embedding (K,), not {tuple(embedding.shape)}")
        self.embedding = normalize(embedding.detach(), dim=0)

    def __call__(self, row: Tensor) -> Tensor:
        if row.shape != self.embedding.shape:
            raise CamForgeError(f"SimilarTo: the image has {tuple(row.shape)}, the other {tuple(self.embedding.shape)}")
        return normalize(row, dim=0) @ self.embedding.to(row)


class ForTexts(nn.Module):
    """CLIP or SigLIP as a classifier of texts: images -> (N, T), the scaled cosine with each text.

    model     of open_clip or transformers: its own image and text encoders are used
    texts     what the outputs mean; they are names of targets too
    tokenize  texts -> what the text encoder takes: open_clip's tokenizer, or a processor or tokenizer of transformers

        explain(ForTexts(model, ["a cat", "a dog"], tokenizer), "photo.jpg", "a cat")
    """

    features: Tensor

    def __init__(self, model: nn.Module, texts: Sequence[str], tokenize: Callable[..., Any]) -> None:
        super().__init__()
        self.model = model
        self.of_transformers = hasattr(model, "get_text_features")
        if not (self.of_transformers or hasattr(model, "encode_text")):
            raise CamForgeError(f"ForTexts: a {type(model).__name__} encodes no texts")
        with torch.no_grad():
            features = normalize(self._texts(list(texts), tokenize).float(), dim=1)
        self.register_buffer("features", features, persistent=False)
        own = recipe_of(model)
        attach(self, Recipe(own.name, own.prepare, tuple(texts)))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, T)."""
        encode: Any = self.model.get_image_features if self.of_transformers else self.model.encode_image
        features = normalize(_embedding(encode(images)), dim=1)
        scale = getattr(self.model, "logit_scale", None)
        cosines: Tensor = features @ self.features.to(features).T
        return cosines * scale.exp() if isinstance(scale, Tensor) else cosines

    def _texts(self, texts: list[str], tokenize: Callable[..., Any]) -> Tensor:
        device = next(self.model.parameters()).device
        if not self.of_transformers:
            encode: Any = self.model.encode_text
            return _embedding(encode(tokenize(texts).to(device)))
        tokens = tokenize(text=texts, padding=True, return_tensors="pt")
        take: Any = self.model.get_text_features
        return _embedding(take(**{name: value.to(device) for name, value in tokens.items()}))


def _embedding(found: Any) -> Tensor:
    """(N, K) out of a tensor or of what transformers returns since its fifth version."""
    embedding: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return embedding
