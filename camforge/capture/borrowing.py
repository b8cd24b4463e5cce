"""Borrow a model for a pass and give it back exactly as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn


def is_compiled(module: nn.Module) -> bool:
    """It is what ``torch.compile(module)`` returned; its class cannot be imported without loading dynamo."""
    return type(module).__name__ == "OptimizedModule"


@contextmanager
def borrowed(model: nn.Module, freeze: bool) -> Iterator[None]:
    """The model in eval mode, gradients on whatever the caller's mode, compiled modules run eagerly.

    ``freeze``: parameters take no gradient meanwhile, so autograd records only what lies behind a captured layer.
    Flags are set one by one: a ``train`` method of the user's may do more than that.
    """
    modes = [(module, module.training) for module in model.modules()]
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if any(module._compiled_call_impl is not None or is_compiled(module) for module, _ in modes):
            stack.enter_context(torch.compiler.set_stance("force_eager"))  # a compiled call would skip new hooks
        try:
            for module, _ in modes:
                module.training = False
            for parameter in trainable if freeze else ():
                parameter.requires_grad_(False)
            yield
        finally:
            for module, training in modes:
                module.training = training
            for parameter in trainable:
                parameter.requires_grad_(True)
