"""What the live page asks for: maps of a photograph, and the code that makes the same."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from PIL import Image, UnidentifiedImageError
from torch import Tensor, nn

from camforge.data.decoding import FORMATS
from camforge.explanation.captions import method_text
from camforge.explanation.drawing import small
from camforge.explanation.explain import explain
from camforge.explanation.explanation import Explanation
from camforge.explanation.inputs import photographs_of
from camforge.explanation.methods import methods_of
from camforge.explanation.models import load_model
from camforge.explanation.recipe import recipe_of
from camforge.host.registry import build
from camforge.interfaces import Extractor
from camforge.pictures import data_uri
from camforge.training.device import pick_device
from camforge.types import CamForgeError

LONGEST = 800  # pixels of the shown photograph's longer side
STEPS = 32767  # of a shown map's largest absolute value


@dataclass(frozen=True)
class Question:
    """What a person chose on the page, as the page sends it.

    methods  as ``camforge explain --method`` takes them;  layers  "", last, stages, or names with commas between
    targets  class names or numbers with semicolons between;  top  so many of the highest where there are none
    """

    model: str
    methods: str = "gradcam"
    layers: str = ""
    targets: str = ""
    top: int = 1

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Question:
        """Raises CamForgeError for what no page sends."""
        texts = {name: given.get(name, "").strip() for name in ("model", "methods", "layers", "targets")}
        top = given.get("top", "1")
        if not texts["model"] or not texts["methods"]:
            raise CamForgeError("choose a model and at least one method")
        if not top.isdecimal() or not 1 <= int(top) <= 20:
            raise CamForgeError(f"top {top!r}: give a number from 1 to 20")
        return cls(**texts, top=int(top))

    @property
    def chosen(self) -> list[str | int]:
        """The targets: names, and numbers where they are numbers."""
        parts = [part.strip() for part in self.targets.split(";") if part.strip()]
        return [int(part) if part.removeprefix("-").isdecimal() else part for part in parts]


@dataclass
class Explainer:
    """Answers questions one after another; the model that was asked for last stays loaded.

    weights  of the first model, as ``load_model`` takes them
    """

    first: str
    weights: str | None = None
    device: str = "auto"
    _lock: Lock = field(default_factory=Lock)
    _loaded: tuple[str, nn.Module] | None = None

    def model(self, name: str) -> nn.Module:
        """The model of that name, on the device."""
        if self._loaded is None or self._loaded[0] != name:
            self._loaded = None  # two large ones need not fit
            model = load_model(name, self._weights(name)).to(pick_device(self.device))
            self._loaded = (name, model)
        return self._loaded[1]

    def about(self, name: str) -> dict[str, Any]:
        """What can be chosen of a model: its layers and the names of its classes."""
        with self._lock:
            model = self.model(name)
        layers = [path for path, module in model.named_modules() if path and not isinstance(module, nn.Dropout)]
        return {"layers": layers, "classes": list(recipe_of(model).classes)}

    def answer(self, content: bytes, question: Question) -> dict[str, Any]:
        """The photograph as it is shown, its maps, and the code. Raises CamForgeError for what does not fit."""
        photograph, extractors = _photograph(content), _extractors(question)
        with self._lock:
            model = self.model(question.model)
            targets = [question.chosen] if question.chosen else None
            top = None if question.chosen else question.top
            found = explain(model, [photograph], targets, extractors, top=top, size="input")
        shown = small(photograph, LONGEST)
        maps = [each for explanation in found.values() for each in _maps(explanation, shown)]
        height, width = shown.shape[1:]
        picture = {"width": width, "height": height, "photograph": data_uri(shown, ".png")}
        return picture | {"maps": maps, "code": self._code(question, extractors)}

    def _weights(self, name: str) -> str | None:
        return self.weights if name == self.first else None

    def _code(self, question: Question, extractors: Sequence[Extractor]) -> str:
        """Python that makes the same maps."""
        weights = self._weights(question.model)
        model = f"{question.model!r}" + (f", weights={weights!r}" if weights else "")
        specs = [_spec(extractor) for extractor in extractors]
        targets = f"[{question.chosen!r}]" if question.chosen else f"top={question.top}"
        return (
            f"import camforge\n\nmodel = camforge.load_model({model})\n"
            f'found = camforge.explain(model, ["photo.jpg"], {targets}, extractor={specs!r})\n'
            "for name, explanation in found.items():\n    explanation.save(name)\n"
        )


def _photograph(content: bytes) -> Tensor:
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            (photograph,) = photographs_of(image) or []
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        raise CamForgeError("this file is no photograph that can be read") from None
    return photograph.pixels()


def _extractors(question: Question) -> list[Extractor]:
    """The methods, with the layers of those that choose theirs."""
    found = methods_of(question.methods)
    if not question.layers:
        return found
    named = [layer.strip() for layer in question.layers.split(",") if layer.strip()]
    layers = named[0] if named in (["last"], ["stages"]) else named
    return [
        build("extractor", extractor.spec() | {"layers": layers}) if "layers" in extractor.options() else extractor
        for extractor in found
    ]


def _maps(found: Explanation, shown: Tensor) -> list[dict[str, Any]]:
    """Each map over the shown photograph: whole numbers of 16 bits, their largest size being the map's."""
    place = found.placements[0].scaled((shown.shape[1], shown.shape[2]))
    made = []
    for pair, values in enumerate(place.bring_back(found.maps.detach().float()).cpu()):
        size = float(values.abs().max())
        steps = (values / (size or 1.0) * STEPS).round().to(dtype=values.new_zeros(1).short().dtype)
        target = int(found.targets[pair])
        made.append({
            "label": found.label(pair), "method": found.method, "layers": list(found.layers), "size": size,
            "logit": float(found.logits[0, target]), "signed": bool((values < 0).any()),
            "values": base64.b64encode(steps.numpy().astype("<i2").tobytes()).decode(),
        })  # fmt: skip
    return made


def _spec(extractor: Extractor) -> str | dict[str, Any]:
    """The shortest way to write a method down."""
    if method_text(extractor) == extractor.name:
        return extractor.name
    defaults = {name: each.get_default() for name, each in type(extractor).model_fields.items()}
    return {"name": extractor.name} | {
        name: value
        for name, value in extractor.spec().items()
        if name != "name" and getattr(extractor, name) != defaults[name]
    }
