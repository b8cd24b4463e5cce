"""Whether the images of a batch influence one another: the first one is run alone, and beside another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from camforge.capture.layout.grids import is_convolutional
from camforge.capture.layout.intervention import Inputs, first_images, repeated, same_random
from camforge.capture.model.structure import Structure

Logits = Callable[[Inputs], Tensor]


def mixes_images(structure: Structure, model: nn.Module, inputs: Inputs, logits: Logits) -> bool:
    """An image's logits depend on the other images of its batch, by the model's modules or by an intervention.

    inputs  of one image or more;  logits  the model's (B, K) for other inputs like these
    False also for a model that is random at each run, or that does not take one image, or two.
    """
    if any(norm.running_mean is None for norm in structure.of_kind(_BatchNorm)):
        return True
    mixes: bool | None = structure.kept("mixes images", lambda: None)
    if mixes is None:
        mixes = not is_convolutional(model) and _shows_mixing(model, inputs, logits)
        structure.keep("mixes images", mixes)
    return bool(mixes)


def _shows_mixing(model: nn.Module, inputs: Inputs, logits: Logits) -> bool | None:
    """Two forwards tell, a third one where images seem to be mixed.

    None where it cannot be told now, as of a model all of whose logits are 0.
    """
    with torch.no_grad(), same_random(inputs[0].device) as random:
        one, two = first_images(inputs, 1), _beside_another(inputs)
        random()
        try:
            alone = _of_copies(logits, one)[0]
            random()
            together = _of_copies(logits, two)
        except Exception:  # such as frames of a video in the batch: it takes the number of images that it was given
            return False
        difference = (together[0] - together[1]).abs().max()
        if not difference > 0:  # or NaN
            return None
        limit = 0.05 * difference + _rounding(model, alone, inputs[0]) * alone.abs().max()
        if not (together[0] - alone).abs().max() > limit:
            return False
        return bool((_of_copies(logits, one)[0] - alone).abs().max() < 0.1 * limit)  # with other random numbers


def _beside_another(inputs: Inputs) -> Inputs:
    """The first image and its mirror image under noise of its contrast; of other inputs the first row twice."""
    one = first_images(inputs, 1)
    images, other = one[0], one[0].flip(-1)
    if images.is_floating_point():
        contrast = images.float().std(correction=0)
        noise = torch.randn(images.shape).to(images) * torch.where(contrast > 0, contrast, 1.0)
        other = (other + noise).to(images.dtype)
    return torch.cat([images, other]), *repeated(one[1:], 2)


def _of_copies(logits: Logits, inputs: Inputs) -> Tensor:
    """The model may overwrite its inputs. Finite ones: what NaN images would tell of a model is nothing."""
    first = inputs[0].nan_to_num(0.0, 0.0, 0.0) if inputs[0].is_floating_point() else inputs[0].clone()
    others = (x.clone() if isinstance(x, Tensor) else x for x in inputs[1:])
    return logits((first.contiguous(), *others)).detach()


def _rounding(model: nn.Module, logits: Tensor, images: Tensor) -> float:
    """How far a result may depend on the batch's size alone, relative to it: kernels differ except in plain float32."""
    tensors = [logits, images, *model.parameters()]
    low = any(x.is_floating_point() and x.dtype.itemsize < 4 for x in tensors)
    quantised = any(".quantized" in type(module).__module__ for module in model.modules())
    device = images.device.type
    return 0.05 if device != "cpu" or torch.is_autocast_enabled(device) or low or quantised else 1e-5
