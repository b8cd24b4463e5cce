"""The intervention that decides where a feature map lies: disturb the image in places, look where layers change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d

from camforge.capture.model.borrowing import borrowed
from camforge.capture.structures import lead_tensor, logits_of, named_tensors
from camforge.types import CamForgeError

Inputs = tuple[Any, ...]
Run = Callable[[Inputs], Any]


@dataclass(frozen=True, eq=False)
class Response:
    """What one call of a module returned for one image, and how that changes with the image.

    shape   with the images' axis, which is ``images``; None where no axis is the images'
    places  channel axis -> (1 + D, places along the other axes): per place <change_k, change_0>, summed over channels;
            change_0 is the answer to noise all over the image, change_k to the same noise times a ramp from -1 to 1
            along the image's k-th axis. Their quotient is where in the image the place looks. Of more than 64
            places along an axis several are taken together.
    named   the output holds its tensors under names: what comes behind may read another of them
    """

    shape: tuple[int, ...]
    images: int | None
    places: dict[int, Tensor] = field(default_factory=dict)
    named: bool = False

    def centres(self, channels: int) -> tuple[Tensor, Tensor]:
        """Where each place looks, (D, places…) from -1 to 1 along each axis of the image, and how much it changes."""
        products = self.places[channels].cpu().double()
        return products[1:] / products[0].clamp(min=1e-300), products[0]


@dataclass(frozen=True, eq=False)
class Intervention:
    """Every layer's responses, path#k -> Response, in the order in which the calls finished; ``image`` its extent.

    The model's own output, its logits where they have a name, is ``#0``.
    """

    calls: dict[str, Response]
    image: tuple[int, ...]

    def of(self, path: str) -> list[Response]:
        """The calls of a module, or the one that ``path#k`` names."""
        name, _, index = path.partition("#")
        found, k = [], 0
        while f"{name}#{k}" in self.calls:
            found.append(self.calls[f"{name}#{k}"])
            k += 1
        return found[int(index) : int(index) + 1] if index else found


def signature(inputs: Inputs) -> tuple[Any, ...]:
    """What an intervention depends on: the inputs' shapes but for the number of images."""
    return tuple((tuple(x.shape[1:]), x.dtype, x.device) if isinstance(x, Tensor) else type(x) for x in inputs)


def intervene(model: nn.Module, inputs: Inputs, run: Run, which: int = 0) -> Intervention:
    """The responses of all layers to disturbances of the first image: two forwards, of one image and of a few of it.

    which  the input that is disturbed, the images or another of their size
    Raises CamForgeError for images that cannot be disturbed.
    """
    images = inputs[which]
    if not isinstance(images, Tensor) or not images.is_floating_point() or images.dim() < 3:
        what = f"{images.dtype} of shape {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
        raise CamForgeError(f"the images are {what}: give floating point (B, channels, height, width)")
    return borrowed(model, False, lambda: _intervene(_Study(model, run, which), inputs))


def _intervene(study: _Study, inputs: Inputs) -> Intervention:
    images = inputs[study.which]
    extent = tuple(images.shape[2:])
    with torch.no_grad(), same_random(images.device) as study.random:
        one = first_images(inputs, 1) if images.shape[0] else some_image(inputs)
        alone = study.alone(one)
        if alone is None:  # such as frames of a video in the batch: it takes the number of images that it was given
            return Intervention(study.one_by_one(inputs), extent)
        together = study.together(one, alone)
        return Intervention(study.one_by_one(one) if together is None else together, extent)


def first_images(inputs: Inputs, count: int) -> Inputs:
    """The first ``count`` images, and the same rows of whatever other input has one row per image."""
    total = inputs[0].shape[0]
    return tuple(x[:count] if isinstance(x, Tensor) and x.dim() and x.shape[0] == total else x for x in inputs)


def watched(model: nn.Module, run: Callable[[], Any], note: Callable[[str, Any], None]) -> None:
    """Run, and hand on every call's path#k and what it returned, in the order in which the calls finish."""
    counts: dict[str, int] = {}

    def hook(name: str, output: Any) -> None:
        counts[name] = counts.get(name, -1) + 1
        note(f"{name}#{counts[name]}", output if name else logits_of(output))

    with ExitStack() as stack:
        for name, module in model.named_modules():
            if "parametrizations" in name.split("."):  # such modules compute a weight, not features
                continue
            handle = module.register_forward_hook(lambda _m, _i, out, name=name: hook(name, out))
            stack.callback(handle.remove)
        run()


@dataclass(frozen=True, eq=False)
class _Seen:
    """One call's output: its shape, a number that tells if two are the same, and if its tensors have names."""

    shape: tuple[int, ...]
    size: Tensor
    named: bool


@dataclass(eq=False)
class _Study:
    """A model to be run again and again, each time with the same random numbers; ``which`` input is disturbed."""

    model: nn.Module
    run: Run
    which: int
    random: Callable[[], None] = lambda: None

    def alone(self, one: Inputs) -> dict[str, _Seen] | None:
        """Every call's shape for one image; None where the model does not take one image."""
        found: dict[str, _Seen] = {}

        def note(name: str, output: Any) -> None:
            tensor = lead_tensor(output)
            if tensor is not None and tensor.is_floating_point() and tensor.dim() > 1:
                found[name] = _Seen(tuple(tensor.shape), tensor.float().norm(), named_tensors(output) > 0)

        return found if self._ran(one, note) else None

    def together(self, one: Inputs, alone: dict[str, _Seen]) -> dict[str, Response] | None:
        """All disturbances in one batch; None where the model cannot, or where its rows are not independent."""
        found: dict[str, Response] = {}
        same: list[Tensor] = []

        def note(name: str, output: Any) -> None:
            if name in alone and (tensor := lead_tensor(output)) is not None:
                axis = _images_axis(alone[name].shape, tuple(tensor.shape), rows)
                if axis is not None:
                    own = tensor.movedim(axis, 0)
                    same.append((own[0].float().norm() - alone[name].size).abs() <= 0.02 * alone[name].size + 1e-6)
                    places = _places(own[1:] - own[:1], tensor.dim(), axis, images.dim() - 2)
                found[name] = Response(alone[name].shape, axis, {} if axis is None else places, alone[name].named)

        images = disturbed(one[self.which])
        rows = images.shape[0]
        ran = self._ran(self._with(images, repeated(one, rows)), note)
        return found if ran and (not same or bool(torch.stack(same).all())) else None

    def one_by_one(self, inputs: Inputs) -> dict[str, Response]:
        """The disturbances one after the other, each of all images; the first image's change is read."""
        outputs: list[dict[str, Tensor]] = []
        changed = inputs[self.which]
        count = changed.shape[0]
        for row in range(disturbed(changed[:1]).shape[0]):
            kept_now: dict[str, Tensor] = {}
            outputs.append(kept_now)

            def note(name: str, output: Any, kept_now: dict[str, Tensor] = kept_now) -> None:
                tensor = lead_tensor(output)
                if tensor is not None and tensor.is_floating_point() and tensor.dim() > 1:
                    kept_now[name] = tensor.clone()

            images = torch.cat([disturbed(changed[i : i + 1])[row : row + 1] for i in range(count)])
            self._ran(self._with(images, list(inputs)), note, must=True)
        found = {}
        for name, base in outputs[0].items():
            others = [other[name] for other in outputs[1:] if name in other and other[name].shape == base.shape]
            fits = len(others) == len(outputs) - 1 and base.shape[0] == count
            changes = torch.stack([(other - base)[0] for other in others]) if fits else None
            places = {} if changes is None else _places(changes, base.dim(), 0, changed.dim() - 2)
            found[name] = Response((1, *base.shape[1:]), 0 if fits else None, places)
        return found

    def _with(self, images: Tensor, inputs: Sequence[Any]) -> Inputs:
        return tuple(images if k == self.which else x for k, x in enumerate(inputs))

    def _ran(self, inputs: Inputs, note: Callable[[str, Any], None], must: bool = False) -> bool:
        self.random()
        own = tuple(x.clone() if isinstance(x, Tensor) else x for x in inputs)  # a model may change them in place
        try:
            watched(self.model, lambda: self.run(own), note)
        except Exception:
            if must:
                raise
            return False
        return True


def disturbed(image: Tensor) -> Tensor:
    """(1, C, …) -> (1 + n (1 + D), C, …): the image, then n times with noise all over it and with that noise ramped.

    Ramped: times a ramp from -1 to 1 along each axis. The noise is a tenth of the image's contrast, the whole of it in
    half precision, and the same each time; n is 8 for small images, 1 for large ones.
    """
    image = image.nan_to_num(0.0, 0.0, 0.0)
    draws = max(1, min(8, 2**16 // image[0, 0].numel()))
    generator = torch.Generator().manual_seed(0)
    contrast = image.float().std() if image.numel() > 1 else image.new_zeros(())
    scale = torch.where(contrast > 0, contrast, torch.ones_like(contrast)) * (0.1 if image.dtype.itemsize >= 4 else 1.0)
    ramps = [torch.ones_like(image), *(_ramp(size, axis, image) for axis, size in enumerate(image.shape[2:]))]
    noise = [torch.randn(image.shape, generator=generator, dtype=torch.float32).to(image) for _ in range(draws)]
    return image + torch.cat([torch.zeros_like(image), *(one * ramp for one in noise for ramp in ramps)]) * scale.to(
        image
    )


def _ramp(size: int, axis: int, like: Tensor) -> Tensor:
    """From -1 to 1 along one of the image's axes."""
    values = (torch.arange(size, device=like.device, dtype=torch.float32) + 0.5) / size * 2 - 1
    return values.to(like.dtype).reshape(-1, *(1,) * (like.dim() - 3 - axis))


def _places(changes: Tensor, dims: int, axis: int, spatial: int) -> dict[int, Tensor]:
    """(n (1 + D), …) changes of one image -> channel axis of the output -> (1 + D, places) products, summed over it."""
    wide = changes.float().unflatten(0, (-1, spatial + 1))
    products = (wide * wide[:, :1]).sum(0)
    channels = [k for k in {1 if axis == 0 else 0, dims - 1} if k != axis]
    readable = 2 < dims <= spatial + 2  # more axes hold no grid of the image by themselves
    return {k: _coarse(products.sum(k if k > axis else k + 1)) for k in channels} if readable else {}


def _coarse(products: Tensor) -> Tensor:
    """(1 + D, places…) of at most 64 along each of two or three axes: means over neighbours."""
    size = [min(n, 64) for n in products.shape[1:]]
    if len(size) == 1 or size == list(products.shape[1:]):
        return products
    return _POOL[len(size)](products[None], size)[0]


_POOL: dict[int, Callable[..., Tensor]] = {2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


def _images_axis(one: tuple[int, ...], many: tuple[int, ...], rows: int) -> int | None:
    """The axis that has one entry per image: the only one that differs between one image and ``rows`` of it."""
    if len(one) != len(many):
        return None
    differing = [k for k, (a, b) in enumerate(zip(one, many, strict=True)) if a != b]
    return differing[0] if len(differing) == 1 and (one[differing[0]], many[differing[0]]) == (1, rows) else None


def repeated(one: Inputs, rows: int) -> Inputs:
    """The inputs of one image, so many times; one that has no row per image is given as it is."""
    has_row = [isinstance(x, Tensor) and x.dim() > 0 and x.shape[0] == 1 for x in one]
    return tuple(x.expand(rows, *x.shape[1:]) if row else x for x, row in zip(one, has_row, strict=True))


def some_image(inputs: Inputs) -> Inputs:
    """One image of noise where the batch is empty."""
    return tuple(torch.randn(1, *x.shape[1:]).to(x) if isinstance(x, Tensor) and not x.shape[0] else x for x in inputs)


@contextmanager
def same_random(device: torch.device) -> Iterator[Callable[[], None]]:
    """A function that puts the random numbers back to where they were; so does the end of the ``with`` block."""
    state = torch.get_rng_state()
    on_gpu = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def back() -> None:
        torch.set_rng_state(state)
        if on_gpu is not None:
            torch.cuda.set_rng_state(on_gpu, device)

    try:
        yield back
    finally:
        back()
