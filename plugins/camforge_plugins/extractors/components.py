"""The first principal component of a feature map."""

import torch
from torch import Tensor


def first_component(values: Tensor, center: bool) -> Tensor:
    """(P, C, h, w) -> (P, h, w): every place's features projected on the image's first right singular vector.

    From the smaller Gram matrix, (h * w) or C squared. A singular vector has no sign of its own: it is chosen so that
    the projection and the mean over the channels agree.
    """
    scale = power_of_two(values)  # gradients are small, and their squares vanish in float32
    rows = (values / scale[:, None]).flatten(2).transpose(1, 2)  # (P, h * w, C)
    if center:
        rows = rows - rows.mean(1, keepdim=True)
    if rows.shape[1] <= rows.shape[2]:
        strengths, vectors = torch.linalg.eigh(rows @ rows.transpose(1, 2))
        found = vectors[..., -1] * strengths[..., -1:].clamp(min=0).sqrt()
    else:
        found = (rows @ torch.linalg.eigh(rows.transpose(1, 2) @ rows).eigenvectors[..., -1:]).squeeze(2)
    return with_sign(found, rows.mean(2)).reshape(values.shape[0], *values.shape[2:]) * scale


def power_of_two(values: Tensor) -> Tensor:
    """(P, C, h, w) -> (P, 1, 1): a power of two that brings each image's largest absolute value to 0.5..1."""
    peak = values.abs().amax((1, 2, 3), keepdim=True)[:, 0]
    return torch.ldexp(torch.ones_like(peak), torch.frexp(peak).exponent)


def with_sign(found: Tensor, reference: Tensor) -> Tensor:
    """(P, N) -> (P, N), each row times -1 where it disagrees with the reference (P, N)."""
    return found * torch.where((found * reference).sum(1, keepdim=True) < 0, -1.0, 1.0).to(found.dtype)
