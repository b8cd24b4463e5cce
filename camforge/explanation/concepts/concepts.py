"""All concepts of an image in one call, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture import Capture, ModelLayers, Needs, probabilities
from camforge.explanation.captions import method_text
from camforge.explanation.concepts.drawing import concept_row
from camforge.explanation.explain import Choice, Images, explain
from camforge.explanation.explanation import Explanation
from camforge.explanation.names import label_of
from camforge.explanation.recipe import recipe_of
from camforge.host.registry import build
from camforge.interfaces import ConceptExtractor, Extractor
from camforge.pictures import Picture, sheet
from camforge.types import CamForgeError


@dataclass(frozen=True, eq=False)
class ConceptExplanation(Explanation):
    """One map per (image, concept) pair, the concepts of each image in their order.

    probabilities  (N, k, K): the network's softmax for each concept alone; of a single output the sigmoid
    A pair's target is the concept's most probable output, its label the legend: "tabby 0.61, tiger cat 0.30".
    """

    probabilities: Tensor = field(default_factory=lambda: torch.zeros(0, 0, 0))

    def legend(self, image: int) -> list[str]:
        """The classes of each concept of an image, with their probabilities."""
        return [self.label(pair) for pair in (self.images == image).nonzero().flatten().tolist()]

    def show(self, photographs: Tensor | None = None) -> Picture:
        """One row per image: the photograph, which concept is where and how strong, and the legend of their colours.

        photographs  as ``Explanation.show`` takes them
        """
        rows = [
            concept_row(self.image_name(i), picture, self.over(i).detach().cpu(), self.legend(i))
            for i, picture in enumerate(self.pictures(photographs))
        ]
        return Picture(sheet(rows))


def concepts(
    model: nn.Module, images: Images, extractor: Choice = "dff", *, top: int = 2, **options: Any
) -> ConceptExplanation:
    """What an image's features are made of: a map per concept, with the classes that the network takes each for.

    images     as ``camforge.explain`` takes them, and ``options`` (preprocess, classes, size, batch_size, select)
    extractor  one that finds concepts, such as ``{"name": "dff", "count": 5}``, on one layer
    top        how many classes of each concept the legend names

    Raises CamForgeError for another kind of extractor, or for several layers.
    """
    chosen = extractor if isinstance(extractor, Extractor) else build("extractor", extractor)
    if not isinstance(chosen, ConceptExtractor):
        raise CamForgeError(f"concepts: extractor {chosen.name!r} finds no concepts; give one that does, such as dff")
    if not isinstance(top, int) or top < 1:
        raise CamForgeError(f"concepts: top={top!r}; give a number from 1 on")
    found = _Found(chosen)
    parts = tuple(_OneConcept(found=found, index=index) for index in range(chosen.count))
    maps = explain(model, images, None, parts, **options)
    classes = recipe_of(model, options.get("classes", ())).classes
    return _joined(list(maps.values()), torch.cat(found.probabilities), top, classes, method_text(chosen))


class _Found:
    """The concepts of the capture that is looked at, found once for all of them; what the network makes of them all."""

    def __init__(self, extractor: ConceptExtractor) -> None:
        self.extractor, self.probabilities = extractor, list[Tensor]()
        self._latest: tuple[Capture, Tensor] | None = None

    def maps(self, capture: Capture) -> Tensor:
        """(P, k, h, w)."""
        if self._latest is None or self._latest[0] is not capture:
            layers = capture.resolve(self.extractor.layers)
            if len(layers) > 1:
                raise CamForgeError(f"concepts: {self.extractor.name} reads {len(layers)} layers; name one")
            found = self.extractor.concepts(capture, layers[0])
            self.probabilities.append(probabilities(found.logits))
            self._latest = capture, found.maps
        return self._latest[1]


class _OneConcept(Extractor):
    """The map of one concept, whatever the target."""

    name = "one_concept"
    found: _Found
    index: int

    def needs(self, model_layers: ModelLayers) -> Needs:
        return self.found.extractor.needs(model_layers)

    def extract(self, capture: Capture) -> list[Tensor]:
        return [self.found.maps(capture)[:, self.index]]


def _joined(
    parts: Sequence[Explanation], probabilities: Tensor, top: int, classes: Sequence[str], method: str
) -> ConceptExplanation:
    """The explanations of the single concepts as one, image by image."""
    share, target = probabilities.flatten(0, 1).topk(min(top, probabilities.shape[-1]))
    rows = zip(share.tolist(), target.tolist(), strict=True)
    labels = [", ".join(f"{label_of(t, classes)} {p:.2f}" for p, t in zip(*row, strict=True)) for row in rows]
    values = {field.name: getattr(parts[0], field.name) for field in fields(Explanation)}
    values |= {
        "maps": torch.stack([part.maps for part in parts], 1).flatten(0, 1),
        "images": parts[0].images.repeat_interleave(len(parts)),
        "targets": target[:, 0],
        "labels": tuple(labels),
        "method": method,
    }
    return ConceptExplanation(**values, probabilities=probabilities)
