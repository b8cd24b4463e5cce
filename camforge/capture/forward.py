"""The forward of a borrowed model, with layers recorded, and the gradients of its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.module import _has_any_global_hook
from torch.overrides import TorchFunctionMode

from camforge.capture.arriving import Arriving
from camforge.capture.attention.blocks import blocks_of
from camforge.capture.attention.recorded import RecordedAttention, recording_attention
from camforge.capture.captured import Needs
from camforge.capture.head import LinearHead, linear_head
from camforge.capture.layers import ModelLayers
from camforge.capture.layout.grids import Grids, is_convolutional
from camforge.capture.layout.mixing import mixes_images
from camforge.capture.model.structure import Structure
from camforge.capture.recording import Lightly, Record, RecordedOutput, recording
from camforge.capture.structures import described, logits_of
from camforge.maps import wide
from camforge.types import CamForgeError

Select = Callable[[Any], Tensor]
FEW_PIXELS = 128 * 128  # of a batch: up to this many, the CPU's convolutions lose more by another layout than they win


class NoLogits(CamForgeError):
    """What a model returns holds no logits. ``problem``: that alone, without what a caller in Python can do."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem + hint)
        self.problem = problem


@dataclass(frozen=True, eq=False)
class Runner:
    """A borrowed model and how it is called.

    select        takes the logits out of a dict or tuple output
    create_graph  the maps are to be trained through
    first         the first run's logits (B, K)
    sums          every run's logits added up, float64: finite where all of them are
    doubts        scalar bools: whether what was taken for a linear head is one
    The last two are read after the pass: a GPU is not waited for in between.
    """

    model_layers: ModelLayers
    select: Select | None
    create_graph: bool
    first: list[Tensor] = field(default_factory=list)
    sums: list[Tensor] = field(default_factory=list)
    doubts: list[Tensor] = field(default_factory=list)
    _settled: list[Arriving] = field(default_factory=list)

    @cached_property
    def structure(self) -> Structure:
        """What follows from the model's modules alone."""
        return Structure.of(self.model_layers.model)

    @property
    def use_head(self) -> bool:
        """Gradients may come from the linear head's weight, without a backward."""
        return self.structure.kept("has a head", lambda: True)

    @property
    def mixes_images(self) -> bool:
        """An image's logits depend on the others of its batch. Once per model this may take two or three forwards."""
        layers = self.model_layers  # no cached_property: in Python 3.11 passes of two models would share its lock
        look = lambda: mixes_images(self.structure, layers.model, layers.inputs, self._logits)  # noqa: E731
        return layers.kept("mixes images", look)

    def logits(self, inputs: tuple[Any, ...]) -> Tensor:
        """Logits (B, K). Raises CamForgeError where there are none; ``check_finite`` must follow."""
        output = self._logits(inputs)
        self.first[:] = self.first or [output.detach()]
        self.sums.append(output.detach().sum(dtype=torch.float32 if output.is_mps else torch.float64))
        return output

    def _logits(self, inputs: tuple[Any, ...]) -> Tensor:
        output = self.model_layers.run(inputs)
        output = logits_of(output) if self.select is None else self.select(output)
        if not isinstance(output, Tensor):
            raise NoLogits(f"the model returns {described(output)}", "; give select= to take its logits out")
        if output.dim() != 2:
            raise NoLogits(f"the model returns shape {tuple(output.shape)}, not logits (B, K)", ": give select=")
        if output.shape[0] != inputs[0].shape[0]:
            images = f"{inputs[0].shape[0]} images"
            raise CamForgeError(
                f"the model returns {tuple(output.shape)} for {images}: not one row of logits per image"
            )
        return output

    def settle(self) -> None:
        """At the end of the pass: what the checks read sets out for the host."""
        numbers = self.sums + [doubt.to(self.sums[0].dtype) for doubt in self.doubts]
        self._settled.append(Arriving(torch.stack(numbers) if len(numbers) > 1 else numbers[0].view(1)))

    def check_finite(self) -> None:
        """Raise CamForgeError where any logits so far were NaN or infinite. Waits for the device."""
        sums = self._settled[0].wait() if self._settled else torch.stack(self.sums or [torch.zeros(())])
        if not sums.isfinite().all():
            images = (~self.first[0].isfinite().all(1)).nonzero().flatten().tolist()
            where = f"images {images} of the batch" if images else "images that an extractor changed"
            raise CamForgeError(f"NaN or infinite logits for {where}: no map can be made of them")

    def check_head(self) -> bool:
        """Whether what was taken for a linear head is one; if not, nothing of this model is from now on."""
        certain = not self.doubts or bool(self._settled[0].wait()[len(self.sums) :].all())
        if not certain:
            self.structure.keep("has a head", False)
        return certain

    def runs_lightly(self, needs: Needs) -> bool:
        """Up to the first layer that is read, the forward may run in inference mode, which the host is through sooner.

        Only where nothing there is read or kept: models made of torchvision's own modules, without anybody's hooks.
        """
        read = needs.input_gradients or needs.raw_inputs or needs.reads_attention or not needs.layers
        if read or self.create_graph or self.structure.hooked or _has_any_global_hook():
            return False
        return self.structure.kept("runs lightly", lambda: is_convolutional(self.model_layers.model))

    def laid_out(self, images: Tensor) -> Tensor:
        """A copy of the images, which the model may overwrite, in the layout in which its convolutions are fastest."""
        convolves = self.structure.kept("convolves", lambda: bool(self.structure.of_kind(_ConvNd)))
        many = images.dim() == 4 and len(images) * images.shape[2:].numel() > FEW_PIXELS
        if images.device.type == "cpu" and many and convolves:
            laid_out = images.contiguous(memory_format=torch.channels_last)
            return laid_out if laid_out.data_ptr() != images.data_ptr() else laid_out.clone()
        return images.clone()


@dataclass(frozen=True, eq=False)
class Forward:
    """What one forward left: the leaf it started from, other inputs, logits (B, K) with graph, recorded calls."""

    runner: Runner
    inputs: Tensor
    others: tuple[Any, ...]
    logits: Tensor
    record: Record
    needs: Needs
    attention: RecordedAttention | None = None

    @cached_property
    def grids(self) -> Grids:
        return self.runner.model_layers.grids((self.inputs, *self.others))

    @cached_property
    def activations(self) -> dict[str, Tensor]:
        """Layer -> (B, C, h, w)."""
        found = {}
        for name in self.needs.activations:
            value = self.record.output(name).value
            assert value is not None  # every activation was recorded with its value
            found[name] = self.grids(value if self.runner.create_graph else value.detach(), name)
        return found

    @cached_property
    def raw_inputs(self) -> dict[str, Tensor]:
        """path#k -> (B, …), what the module got."""
        names = [name for path in self.needs.raw_inputs for name in self.record.names(path)]
        return {name: wide(self.record.input(name)) for name in names}

    @cached_property
    def head(self) -> LinearHead | None:
        """The linear head behind one of the layers."""
        recorded = {name: self.record.output(name) for name in self.needs.activations}
        return linear_head(self.runner, recorded, self.logits)


def run_forward(
    runner: Runner, inputs: tuple[Any, ...], needs: Needs, mode: TorchFunctionMode | None = None
) -> Forward:
    """One forward with the needed layers recorded; nothing is recorded below the shallowest that has a derivative.

    mode  changes torch's functions meanwhile
    """
    first = inputs[0].clone() if inputs[0].is_inference() else inputs[0]
    first = first if runner.create_graph else first.detach()
    values = (*needs.activations, *needs.curvatures)
    lightly = Lightly(mode is None and runner.runs_lightly(needs))
    recorded = recording(runner.model_layers.model, values, needs.differentiated, needs.raw_inputs, lightly.end)
    blocks = blocks_of(runner.model_layers, inputs) if needs.reads_attention else None
    attention = recording_attention(runner.model_layers.model, blocks, runner.create_graph)
    twice = runner.create_graph or bool(needs.curvatures)
    changed = mode or nullcontext()
    with torch.enable_grad(), _attention(twice), changed, recorded as record, attention as recorder:
        leaf = _leaf(first, needs)
        given = runner.laid_out(leaf)
        try:
            logits = _logits(runner, (given, *inputs[1:]), lightly)
        except RuntimeError as error:  # a model may .view() what only lies in order in the plain layout
            if "nference tensor" in str(error):
                runner.structure.keep("runs lightly", False)
            elif given.is_contiguous():
                raise
            record.clear()
            recorder.clear()
            logits = runner.logits((leaf.contiguous().clone(), *inputs[1:]))
    return Forward(runner, leaf, inputs[1:], logits, record, needs, recorder.recorded)


def _logits(runner: Runner, inputs: tuple[Any, ...], lightly: Lightly) -> Tensor:
    runner.structure.leave = lightly.end  # once more, where a signal's handler comes between
    try:
        lightly.begin()
        return runner.logits(inputs)
    finally:
        lightly.end()


def gradients(
    runner: Runner, score: Tensor, wrt: Mapping[str, RecordedOutput], leaf: Sequence[Tensor],
    create_graph: bool, keep: bool,
) -> tuple[dict[str, Tensor], list[Tensor]]:  # fmt: skip
    """d score / d each recorded call, and / d each leaf; zeros where the score does not depend on it.

    Raises CamForgeError where a quantised layer of the model cuts the way back.
    """
    if not wrt and not leaf:
        return {}, []
    if not score.requires_grad:
        read = ", ".join(map(repr, wrt)) or "the images"
        raise CamForgeError(
            f"the score has no gradient: the model or the target works on detached tensors, or not on {read}"
        )
    edges: list[Any] = [recorded.edge for recorded in wrt.values()] + list(leaf)
    keep = keep or create_graph
    try:
        found = torch.autograd.grad(score, edges, retain_graph=keep, create_graph=create_graph, allow_unused=True)
    except RuntimeError as error:
        raise _no_way_back(error, list(wrt)) from error
    if any(g is None for g in found):
        _refuse_quantised(runner)
    shapes = [recorded.shape for recorded in wrt.values()] + [tensor.shape for tensor in leaf]
    filled = [score.new_zeros(shape) if g is None else g for g, shape in zip(found, shapes, strict=True)]
    return dict(zip(wrt, filled[: len(wrt)], strict=True)), filled[len(wrt) :]


def _refuse_quantised(runner: Runner) -> None:
    """Their kernels have no derivative, and autograd goes on as if the score did not depend on what comes before."""
    named = runner.model_layers.model.named_modules
    found = runner.structure.kept("quantised", lambda: [n for n, m in named() if ".quantized" in type(m).__module__])
    if found:
        raise CamForgeError(
            f"no gradient comes back through the quantised layer {found[0]!r}: explain the network as it was before, "
            "or with a method that needs no gradient, such as scorecam"
        )


def _no_way_back(error: RuntimeError, layers: list[str]) -> Exception:
    """In one line where the model itself stands in the way; any other error as it is."""
    if "modified by an inplace operation" in str(error):
        return CamForgeError("the model overwrites in place what its own gradient needs: no backward pass is possible")
    if type(error).__name__ == "CheckpointError":
        return CamForgeError(f"{' or '.join(layers)} lies inside of a checkpoint: read the checkpointed module")
    return error


def _attention(twice: bool) -> AbstractContextManager[None]:
    """Fused attention kernels can be differentiated once; a second time needs the plain one."""
    return sdpa_kernel(SDPBackend.MATH) if twice else nullcontext()


def _leaf(images: Tensor, needs: Needs) -> Tensor:
    """The images, or where their gradient is read and none flows into them a leaf of their own."""
    return images.detach().requires_grad_() if needs.input_gradients and not images.requires_grad else images
