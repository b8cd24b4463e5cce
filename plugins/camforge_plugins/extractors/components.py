"""The first principal component of a feature map."""

import torch
from torch import Tensor

BLOCK = 8  # vectors that are sought at once
SMALL = 256  # up to this size of the matrix a full decomposition is the faster


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
        strength, vector = leading(rows @ rows.transpose(1, 2))
        found = vector * strength[:, None].clamp(min=0).sqrt()
    else:
        found = (rows @ leading(rows.transpose(1, 2) @ rows)[1][..., None]).squeeze(2)
    return with_sign(found, rows.mean(2)).reshape(values.shape[0], *values.shape[2:]) * scale


def power_of_two(values: Tensor) -> Tensor:
    """(P, C, h, w) -> (P, 1, 1): a power of two that brings each image's largest absolute value to 0.5..1."""
    peak = values.abs().amax((1, 2, 3), keepdim=True)[:, 0]
    return torch.ldexp(torch.ones_like(peak), torch.frexp(peak).exponent)


def leading(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Gram matrices (P, n, n) -> their largest eigenvalue (P,) and its vector (P, n).

    Of large ones by block Lanczos: a Krylov basis grows until the vector solves its equation to rounding. A full
    decomposition takes over where that does not happen early, and where gradients are to flow through it.
    """
    n = gram.shape[-1]
    if n > SMALL and not gram.requires_grad:
        start = torch.randn(n, BLOCK, generator=torch.Generator().manual_seed(0)).to(gram)
        basis = torch.linalg.qr(gram @ start).Q
        while basis.shape[-1] <= n // 4:
            image = gram @ basis
            strengths, vectors = eigh(basis.mT @ image)
            found, top = basis @ vectors[..., -1:], strengths[..., -1]
            gap = torch.linalg.vector_norm(image @ vectors[..., -1:] - top[:, None, None] * found, dim=(1, 2))
            if (gap <= 64 * torch.finfo(gram.dtype).eps * top).all():
                return top, found.squeeze(2)
            block = image[..., -BLOCK:]
            for _ in range(2):  # once leaves rounding errors along the basis
                block = block - basis @ (basis.mT @ block)
            basis = torch.cat([basis, torch.linalg.qr(block).Q], -1)
    strengths, vectors = eigh(gram)
    return strengths[..., -1], vectors[..., -1]


def eigh(gram: Tensor) -> tuple[Tensor, Tensor]:
    """(P, N, N) symmetric -> eigenvalues (P, N), rising, and eigenvectors (P, N, N) in columns.

    LAPACK's float32 solver may not converge where entries underflow (channels without a gradient): float64 then does.
    """
    try:
        strengths, vectors = torch.linalg.eigh(gram)
    except torch.linalg.LinAlgError:
        strengths, vectors = torch.linalg.eigh(gram.double())
    return strengths.to(gram), vectors.to(gram)


def with_sign(found: Tensor, reference: Tensor) -> Tensor:
    """(P, N) -> (P, N), each row times -1 where it disagrees with the reference (P, N)."""
    return found * torch.where((found * reference).sum(1, keepdim=True) < 0, -1.0, 1.0).to(found.dtype)
