"""Numbers narrower than float32: autocast with or without a gradient scaler, and what the GPU rounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch.nn.modules.conv import _ConvNd

from camforge.interfaces import Trainer

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: str, device: torch.device) -> Any:
    """The context in which losses or maps are computed; ``precision``: "off" or a key of DTYPES."""
    return nullcontext() if precision == "off" else torch.autocast(device.type, DTYPES[precision])


def cast_convolutions(network: torch.nn.Module, precision: str) -> None:
    """Convolutions' weights in the precision that autocast would cast them to, call by call."""
    for module in network.modules():
        if isinstance(module, _ConvNd):
            module.weight.data = module.weight.data.to(DTYPES[precision])


def wrapped(optimizer: torch.optim.Optimizer, trainer: Trainer, device: torch.device) -> OptimWrapper:
    """The optimiser as mmengine steps it; float16's gradients are scaled so that small ones do not vanish."""
    return _Scaled(optimizer, device) if trainer.amp == "fp16" else OptimWrapper(optimizer)


class _Scaled(AmpOptimWrapper):
    """mmengine's, with torch's scaler of today, which a CPU has as well; the model enters autocast by itself."""

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        OptimWrapper.__init__(self, optimizer)
        self.loss_scaler = torch.amp.GradScaler(device.type)
        self._scale_update_param = None

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        with OptimWrapper.optim_context(self, model):
            yield


@contextmanager
def gpu_arithmetic(trainer: Trainer, device: torch.device) -> Iterator[None]:
    """TF32 and cuDNN's search as the trainer asks; afterwards as it was: maps are computed in whole float32."""
    if device.type != "cuda":
        yield
        return
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = products.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    products.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = trainer.tf32, trainer.tf32, trainer.cudnn_benchmark
    try:
        yield
    finally:
        products.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before
