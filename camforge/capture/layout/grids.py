"""Feature maps in one shape: (B, C, h, w), whatever the network's own layout."""

from __future__ import annotations

from functools import cached_property
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn

from camforge.capture.layout.dependence import leading_to_output
from camforge.capture.layout.field import Field, described_field, field_of, misplaced, unread
from camforge.capture.layout.intervention import Inputs, Intervention, Run, intervene, signature
from camforge.capture.layout.layout import FIRST, GLOBAL, NOT_IMAGES, UNCHANGED, Layout, decided, halved
from camforge.capture.model.structure import Structure
from camforge.maps import wide
from camforge.types import CamForgeError, Network

_SIZES = 8  # of images, whose interventions are kept

# Convolutional families of torchvision: all that their modules return is (B, C, h, w).
_CONVOLUTIONAL = (
    "ResNet", "VGG", "AlexNet", "DenseNet", "MobileNetV2", "MobileNetV3", "SqueezeNet", "ShuffleNetV2", "EfficientNet",
    "RegNet", "MNASNet", "GoogLeNet", "Inception3",
)  # fmt: skip
_CHANNELS_FIRST = (
    nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd, nn.modules.pooling._AdaptiveAvgPoolNd, nn.Upsample, nn.PixelShuffle,
)  # fmt: skip


class Grids:
    """Brings the outputs of a model's modules to (B, C, h, w), or (B, C, d, h, w) for volumes; at least float32.

    Which axes are images, channels and places is known for torchvision's convolutional families. Elsewhere it is found
    by an intervention, once per model and size of image: noise here and there on the image must change the places that
    lie there, down and across. Tokens lie on the grid that a convolution before them returned, or half of it and so on,
    with up to 32 other tokens (class, registers) on either side.

    inputs  what the model runs on, the images first;  run  how it is called with them
    """

    def __init__(self, model: nn.Module, inputs: Inputs, run: Run) -> None:
        self._model, self._inputs, self._run = model, inputs, run
        self._image = tuple(inputs[0].shape[2:])
        self._structure = Structure.of(model)
        self._size = signature(inputs)
        self._fresh = not self._kept

    @property
    def intervention(self) -> Intervention:
        """What every layer does when the image changes."""
        return self._disturbing(0)

    @property
    def _kept(self) -> dict[Any, Intervention]:
        kept: dict[Any, Intervention] = self._structure.kept("interventions", dict)
        return kept

    def look_again(self) -> bool:
        """Forget what earlier passes found, if any: with other weights, or of another image, a layer may answer."""
        fresh, self._fresh = self._fresh, True
        if not fresh:
            for name in ("_mixes_layouts", "_followed", "_conv_grids", "_fields"):
                vars(self).pop(name, None)
            self._structure.forget("interventions", "layout", "stages", "call", "field")
        return not fresh

    def _disturbing(self, which: int) -> Intervention:
        kept = self._kept
        key = (self._size, which)
        if key not in kept:
            while len(kept) >= _SIZES:
                del kept[next(iter(kept))]
            kept[key] = intervene(self._model, self._inputs, self._run, which)
        return kept[key]

    def __call__(self, values: Tensor, path: str) -> Tensor:
        """Raises CamForgeError where the values' places do not follow the image."""
        found = self._found(path, tuple(values.shape))
        if isinstance(found, str) and self.look_again():
            found = self._found(path, tuple(values.shape))
        if isinstance(found, str):
            raise CamForgeError(f"layer {path!r} returns {tuple(values.shape)}: {found}: name another layer")
        return found(wide(values))

    def find(self, values: Tensor, path: str) -> Tensor | None:
        """The same, or None where there is no grid."""
        found = self._found(path, tuple(values.shape))
        return None if isinstance(found, str) else found(wide(values))

    def channel_axis(self, shape: torch.Size, path: str) -> int:
        """Which axis of a module's output its channels are. Raises CamForgeError where the first is not the images'."""
        found = self._found(path, tuple(shape))
        if isinstance(found, str) or found.images != 0:
            raise CamForgeError(
                f"layer {path!r} returns {tuple(shape)}: its first axis is not the images: name another"
            )
        return found.channels

    def check_images_first(self, path: str) -> None:
        """Raises CamForgeError where a layer's first axis is not the images, which running it again needs."""
        found = self._found(path, (0, 0, 0))
        if isinstance(found, Layout) and found.images != 0:
            raise CamForgeError(f"layer {path!r}: its first axis is not the images: nothing behind it can run again")

    def layout(self, path: str, search: bool = True, which: int = 0) -> Layout | str:
        """The layout of ``path#k``, or of a module's last call; or why it has none.

        search  tokens may lie on other grids than those that convolutions returned
        which   the input whose places they are to follow
        """
        responses = self._disturbing(which).of(path)
        if not responses:
            return "it was not called"
        key = ("layout", path, search, which, self._size)
        first = isinstance(self._module(path), _CHANNELS_FIRST)
        decide = lambda: decided(responses[-1], self._image, self._conv_grids, first, search)  # noqa: E731
        return self._structure.kept(key, decide)

    def settled(self, path: str, search: bool = True) -> Layout | str:
        """The layout of ``path#k``; where each place looks at the whole image, as in attention, that of its like.

        A convolution on a grid of the image, or of half of it and so on, has channels first; a layer is like others of
        the same shape, tokens like as many tokens. Without ``search`` tokens are not compared.
        """
        response = self.intervention.of(path)[-1]
        tokens = len(response.shape) < len(self._image) + 2
        if response.images == 0 and len(response.shape) == len(self._image) + 2 and self.known(path):
            return FIRST
        found = self.layout(path, search)
        if isinstance(found, Layout) or found in (UNCHANGED, NOT_IMAGES):
            return found
        return found if tokens and (found != GLOBAL or not search) else self._like(path, tokens) or found

    def _like(self, path: str, tokens: bool) -> Layout | None:
        """What layers of the same shape agree on, where the response of this one is too faint or looks everywhere."""
        shape = self.intervention.of(path)[-1].shape
        if not tokens and shape[1] == shape[-1] and self._mixes_layouts:
            return None  # channels first and last have one shape: others tell nothing
        same = slice(1, -1) if tokens else slice(1, None)
        names = [name for name, other in self.intervention.calls.items() if other.shape[same] == shape[same]]
        layouts = {layout for name in names if isinstance(layout := self.layout(name, search=False), Layout)}
        if not tokens and not layouts and shape[2:] in self._followed:
            layouts = {FIRST for name in names if isinstance(self._module(name), _CHANNELS_FIRST)}
        return layouts.pop() if len(layouts) == 1 else None

    @cached_property
    def _mixes_layouts(self) -> bool:
        """Some layer with axes of its own for the places is seen to have its channels last."""
        calls = self.intervention.calls
        own = (name for name, r in calls.items() if len(r.shape) == len(self._image) + 2 and name != "#0")
        layouts = (self.layout(name, search=False) for name in own)
        return any(isinstance(layout, Layout) and layout.channels != 1 for layout in layouts)

    def _found(self, path: str, shape: tuple[int, ...]) -> Layout | str:
        if len(shape) == len(self._image) + 2 and self.known(path):
            return FIRST
        if len(shape) < 3:
            return "it has no spatial axis"
        if not self.intervention.of(path):
            return "it was not called"
        found = self.settled(path)
        if isinstance(found, Layout):
            self.check_field(path, found)
        for which, other in enumerate(self._inputs):  # a named layer may see another picture, as a siamese network's
            if found == UNCHANGED and which and _alike(other, self._inputs[0]):
                found = self.layout(path, which=which)
        return found

    def leading_to_output(self) -> set[str] | None:
        """The calls, path#k, that the model's output is made of; None where that is not to be seen."""
        return leading_to_output(self._model, self._inputs, self._run)

    def check_field(self, path: str, layout: Layout) -> None:
        """Raises CamForgeError where the places lie on less of the image, or more, and no map of all of it can be made.

        Which is seen at the layer itself, or where each of its places looks far around at the first one of the model.
        """
        key = ("field", path, self._size)
        field = self._structure.kept(key, lambda: self._misplaced(path, layout))
        if field is not None:
            image = "x".join(map(str, self._image))
            raise CamForgeError(
                f"the model crops or pads the images: layer {path!r} lies on {described_field(field, self._image)} of "
                f"{image}: crop or pad them before the model, or use a method that reads no layer, such as rise"
            )

    def _misplaced(self, path: str, layout: Layout) -> Field | None:
        call = path if "#" in path else f"{path}#{len(self.intervention.of(path)) - 1}"
        response = self.intervention.calls[call]
        own = field_of(response, layout, self._image) if layout.channels in response.places else None
        before = takewhile(lambda name: name != call, self.intervention.calls)
        earlier = [self._fields[name] for name in before if name in self._fields]
        return misplaced(own, earlier, lambda field: unread(self._model, self._inputs, self._run, call, field))

    @cached_property
    def _fields(self) -> dict[str, Field]:
        """Of the calls whose places have axes of their own."""
        found: dict[str, Field] = {}
        for name, response in self.intervention.calls.items():
            layout = self.layout(name, search=False) if len(response.shape) == len(self._image) + 2 else None
            field = field_of(response, layout, self._image) if isinstance(layout, Layout) else None
            found |= {} if field is None else {name: field}
        return found

    def known(self, path: str) -> bool:
        """The module and all in it are torch's and torchvision's, in one of torchvision's convolutional families."""
        return self._structure.kept(("known", path), lambda: is_convolutional(self._model, path))

    @cached_property
    def _modules(self) -> dict[str, nn.Module]:
        return dict(self._model.named_modules())

    def _module(self, path: str) -> nn.Module:
        return self._modules[path.partition("#")[0]]

    @cached_property
    def _followed(self) -> set[tuple[int, ...]]:
        """The grids of layers whose places are seen to follow the image, halved and so on."""
        calls = self.intervention.calls
        return halved(
            r.shape[2:] for name, r in calls.items()
            if len(r.shape) == len(self._image) + 2 and self.layout(name, search=False) == FIRST
        )  # fmt: skip

    @cached_property
    def _conv_grids(self) -> tuple[tuple[int, ...], ...]:
        """The grids that convolutions returned, patch embeddings among them; without any, that of the first tokens."""
        dims = len(self._image)
        shapes = [
            response.shape[2:] for name, response in self.intervention.calls.items()
            if response.images == 0 and len(response.shape) == dims + 2
            and isinstance(self._module(name), nn.modules.conv._ConvNd)
        ]  # fmt: skip
        return tuple(dict.fromkeys(shapes)) or self._first_tokens()

    def _first_tokens(self) -> tuple[tuple[int, ...], ...]:
        """The grid of the first tokens that are seen to lie on one, as a linear patch embedding returns them."""
        for response in self.intervention.calls.values():
            found = decided(response, self._image, (), False, True) if len(response.shape) == 3 else None
            if isinstance(found, Layout) and found.grid is not None:
                return (found.grid,)
        return ()


def _alike(other: object, images: Tensor) -> bool:
    return isinstance(other, Tensor) and other.is_floating_point() and other.shape[2:] == images.shape[2:]


def is_convolutional(model: nn.Module, path: str = "") -> bool:
    """A model of torchvision's convolutional families, of whose module at ``path`` all is torch's and torchvision's."""
    body = model.body if isinstance(model, Network) else model
    if not type(body).__module__.startswith("torchvision.models.") or type(body).__name__ not in _CONVOLUTIONAL:
        return False
    inside = model.get_submodule(path.partition("#")[0]) if path else body
    return all(type(m).__module__.partition(".")[0] in ("torch", "torchvision") for m in inside.modules())
