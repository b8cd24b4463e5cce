"""Several processes that compute one run together. Alone, everything here is plain calls.

Every process walks through the same program. Only the leader touches the store and writes; batches are shared out:
process r takes the images r, r + size, … of a training batch and the batches r, r + size, … of an extraction.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm

from camforge.types import CamForgeError

T = TypeVar("T")
Launcher = Literal["none", "pytorch", "slurm"]
PATIENCE = timedelta(days=1)
"""A process may wait for stages that another run makes; the launcher ends what is left alone."""


def join(launcher: Launcher) -> None:
    """Meet the other processes that ``torchrun`` or Slurm started: gloo between CPUs, nccl between GPUs.

    Raises CamForgeError where the launcher did not start this process.
    """
    asked = "LOCAL_RANK" if launcher == "pytorch" else "SLURM_PROCID"
    if asked not in os.environ:
        how = "torchrun --nproc-per-node N -m camforge run …" if launcher == "pytorch" else "srun camforge run …"
        raise CamForgeError(f"launcher {launcher!r}: this process was not started by it; start it as {how}")
    os.environ.setdefault("MKL_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))  # or mmengine warns and sets it
    if launcher == "slurm":
        from mmengine.dist import init_dist

        init_dist("slurm", backend="cpu:gloo,cuda:nccl", timeout=PATIENCE.total_seconds())
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl", timeout=PATIENCE)
    else:
        dist.init_process_group("gloo", timeout=PATIENCE)


def leave() -> None:
    """Part from the others."""
    if dist.is_initialized():
        dist.destroy_process_group()


def size() -> int:
    """How many processes compute this run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def per_machine() -> int:
    """How many of them are on this machine, as torchrun or Slurm tells; all, where it does not."""
    told = os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE") or str(size())
    return min(size(), int(told)) if told.isdigit() else size()


def rank() -> int:
    """This process's number; the leader's is 0."""
    return dist.get_rank() if size() > 1 else 0


def share(count: int) -> slice:
    """Which of ``count`` things are this process's; all of them where there are fewer than processes."""
    return slice(rank(), None, size()) if count >= size() else slice(None)


def batches() -> slice:
    """Which of the numbered batches of a split are this process's."""
    return slice(rank(), None, size())


def on_rank_zero(step: Callable[[], T]) -> T:
    """The leader takes the step; all get what it returned, or its error."""
    if size() == 1:
        return step()
    message: list[Any] = [None, None]
    failed: Exception | None = None
    if rank() == 0:
        try:
            message[0] = step()
        except Exception as error:
            failed, message[1] = error, str(error)
    dist.broadcast_object_list(message)
    if failed is not None:
        raise failed
    if message[1] is not None:
        raise CamForgeError(message[1])
    result: T = message[0]
    return result


def on_all_ranks(step: Callable[[], T]) -> T:
    """Each process takes the step; where one fails, all do, so that none waits for it."""
    if size() == 1:
        return step()
    result: list[T] = []
    failed: Exception | None = None
    try:
        result.append(step())
    except Exception as error:
        failed = error
    message: list[str | None] = [None] * size()
    dist.all_gather_object(message, None if failed is None else str(failed))
    wrong = [f"process {i}: {text}" for i, text in enumerate(message) if text is not None]
    if wrong:
        raise CamForgeError(wrong[0]) from failed
    return result[0]


def gather(mine: list[T]) -> list[T]:
    """On the leader everyone's items, item i from process i % size; elsewhere nothing."""
    if size() == 1:
        return mine
    parts: list[list[T]] | None = [[] for _ in range(size())] if rank() == 0 else None
    dist.gather_object(mine, parts)
    total = sum(len(part) for part in parts or [])
    return [parts[i % size()][i // size()] for i in range(total)] if parts else []


def summed(value: Tensor) -> Tensor:
    """The sum over the processes of tensors of one shape, on the CPU."""
    value = value.cpu()
    if size() > 1:
        dist.all_reduce(value)
    return value


def averaged(values: Tensor) -> Tensor:
    """The mean over the processes of tensors of one shape, on the CPU."""
    return summed(values) / size() if size() > 1 else values.cpu()


def synchronise_batch_norms(module: nn.Module) -> nn.Module:
    """Batch statistics over the whole batch, not over a process's share: the same network as one process trains."""
    if size() == 1:
        return module
    if next((p.is_cuda for p in module.parameters()), False):
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return converted
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.__class__ = _SharedBatchNorm  # torch's own is for GPUs alone
    return module


def share_statistics(module: nn.Module, shared: bool) -> None:
    """False for a batch that every process has whole: its statistics are each one's own, as in one process.

    torch's SyncBatchNorm on GPUs has no such switch: there its running variance counts that batch several times.
    """
    for layer in module.modules():
        if isinstance(layer, _SharedBatchNorm):
            layer.shared = shared


class _Total(torch.autograd.Function):
    """The sum over the processes. Each one's loss depends on everyone's part: gradients are summed as well."""

    @staticmethod
    def forward(_ctx: Any, part: Tensor) -> Tensor:
        return summed(part.clone())

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        return summed(gradient.clone())


class _SharedBatchNorm(_BatchNorm):
    """Batch normalisation whose mean and variance are those of all processes' images together."""

    shared = True

    def _check_input_dim(self, input: Tensor) -> None:
        del input

    def forward(self, input: Tensor) -> Tensor:
        if not self.shared or not (self.training or self.running_mean is None):
            return super().forward(input)
        axes = [axis for axis in range(input.dim()) if axis != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = summed(torch.tensor(input.numel() // input.shape[1])).item()
        centre = _Total.apply(input.sum(axes)) / count
        centred = input - centre.view(shape)
        variance = _Total.apply(centred.square().sum(axes)) / count
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            step = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
            self.running_mean.lerp_(centre.detach(), step)
            self.running_var.lerp_(variance.detach() * (count / max(count - 1, 1)), step)
        normal: Tensor = centred * (variance + self.eps).rsqrt().view(shape)
        return normal * self.weight.view(shape) + self.bias.view(shape) if self.affine else normal
