"""The forward of a borrowed model, with layers recorded, and the gradients of its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from camforge.capture.captured import Needs
from camforge.capture.grids import Grids
from camforge.capture.head import LinearHead, linear_head
from camforge.capture.layers import ModelLayers
from camforge.capture.recording import Record, RecordedOutput, recording
from camforge.types import CamForgeError

Select = Callable[[Any], Tensor]


@dataclass(frozen=True, eq=False)
class Runner:
    """A borrowed model and how it is called.

    select        takes the logits out of a dict or tuple output
    create_graph  the maps are to be trained through
    """

    model_layers: ModelLayers
    select: Select | None
    create_graph: bool

    def logits(self, inputs: tuple[Any, ...]) -> Tensor:
        """Logits (B, K), checked. Raises CamForgeError where they are not there or not finite."""
        output = self.model_layers.model(*inputs)
        if self.select is not None:
            output = self.select(output)
        if not isinstance(output, Tensor):
            raise CamForgeError(f"the model returns a {type(output).__name__}; give select= to take its logits out")
        if output.dim() != 2:
            raise CamForgeError(f"the model returns shape {tuple(output.shape)}, not logits (B, K): give select=")
        finite = torch.isfinite(output).all(1)
        if not finite.all():
            bad = (~finite).nonzero().flatten().tolist()
            raise CamForgeError(f"NaN or infinite logits for images {bad} of the batch: no map can be made of them")
        return output

    def laid_out(self, images: Tensor) -> Tensor:
        """The images in the memory format in which the model's convolutions are fastest, (B, 3, H, W) as before."""
        if images.device.type != "cpu" or images.dim() != 4 or not _convolves(self.model_layers.model):
            return images
        return images.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, eq=False)
class Forward:
    """What one forward left: the leaf it started from, logits (B, K) with their graph, and the recorded calls."""

    runner: Runner
    inputs: Tensor
    logits: Tensor
    record: Record
    needs: Needs

    @cached_property
    def grids(self) -> Grids:
        return Grids(self.runner.model_layers.model, self.inputs)

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
        return linear_head(self.runner.model_layers.model, recorded, self.logits)


def run_forward(runner: Runner, inputs: tuple[Any, ...], needs: Needs) -> Forward:
    """One forward with the needed layers recorded; nothing is recorded below the shallowest that has a derivative."""
    first = inputs[0].clone() if inputs[0].is_inference() else inputs[0]
    first = first if runner.create_graph else first.detach()
    values = (*needs.activations, *needs.curvatures)
    recorded = recording(runner.model_layers.model, values, needs.differentiated, needs.raw_inputs)
    with torch.enable_grad(), _attention(twice=runner.create_graph or bool(needs.curvatures)), recorded as record:
        leaf = _leaf(runner.laid_out(first), needs)
        try:
            logits = runner.logits((leaf, *inputs[1:]))
        except RuntimeError:  # a model may .view() what only lies in order in the plain layout
            if leaf.is_contiguous():
                raise
            record.clear()
            leaf = _leaf(first.contiguous(), needs)
            logits = runner.logits((leaf, *inputs[1:]))
    return Forward(runner, leaf, logits, record, needs)


def gradients(
    score: Tensor, wrt: Mapping[str, RecordedOutput], leaf: Sequence[Tensor], create_graph: bool, keep: bool
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """d score / d each recorded call, and / d each leaf; zeros where the score does not depend on it."""
    if not wrt and not leaf:
        return {}, []
    if not score.requires_grad:
        raise CamForgeError("the score has no gradient: the model or the target works on detached tensors")
    edges: list[Any] = [recorded.edge for recorded in wrt.values()] + list(leaf)
    keep = keep or create_graph
    found = torch.autograd.grad(score, edges, retain_graph=keep, create_graph=create_graph, allow_unused=True)
    shapes = [recorded.shape for recorded in wrt.values()] + [tensor.shape for tensor in leaf]
    filled = [score.new_zeros(shape) if g is None else g for g, shape in zip(found, shapes, strict=True)]
    return dict(zip(wrt, filled[: len(wrt)], strict=True)), filled[len(wrt) :]


def _attention(twice: bool) -> AbstractContextManager[None]:
    """Fused attention kernels can be differentiated once; a second time needs the plain one."""
    return sdpa_kernel(SDPBackend.MATH) if twice else nullcontext()


def _leaf(images: Tensor, needs: Needs) -> Tensor:
    """The images, or where their gradient is read and none flows into them a leaf of their own."""
    return images.detach().requires_grad_() if needs.input_gradients and not images.requires_grad else images


def _convolves(model: nn.Module) -> bool:
    return any(isinstance(module, nn.Conv2d) for module in model.modules())


def wide(values: Tensor) -> Tensor:
    """Half precision to float32."""
    return values if values.dtype.itemsize >= 4 else values.float()
