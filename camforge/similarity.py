"""How alike two maps are, whatever their scales."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, cosine_similarity

from camforge.maps import max_normalise

WINDOW, DEVIATION = 11, 1.5  # of SSIM's Gaussian (Wang et al. 2004, sec. III-B)
STEADY = (0.01**2, 0.03**2)  # its constants, for values in 0..1


def mean_ranks(values: Tensor) -> Tensor:
    """(P, N) -> (P, N) float64: 1 for the lowest of a row; equal values share the mean of their ranks."""
    ordered = values.sort(1).values
    below, upto = (torch.searchsorted(ordered, values.contiguous(), right=right) for right in (False, True))
    return (below + upto + 1).double() / 2


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """(P, N) twice -> (P,) float64: Pearson's, row by row; 0 where a row is constant."""
    x, y = (values.double() - values.double().mean(1, keepdim=True) for values in (a, b))
    return cosine_similarity(x, y, eps=1e-300)


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """(P, …) twice -> (P,) float64: Spearman's, equal values sharing their mean rank; 0 where a map is constant."""
    return correlation(mean_ranks(a.flatten(1)), mean_ranks(b.flatten(1)))


def structural_similarity(a: Tensor, b: Tensor) -> Tensor:
    """(P, H, W) twice -> (P,) float64: mean SSIM of the rectified maps over their maxima (Wang et al. 2004, eq. 13).

    Where a side is below 11 pixels the window shrinks to the largest odd number that fits.
    """
    x, y = (max_normalise(maps.double())[:, None] for maps in (a, b))
    side = min(WINDOW, *((length - 1) // 2 * 2 + 1 for length in a.shape[1:]))
    weights = torch.exp(-((torch.arange(side, device=a.device).double() - side // 2) ** 2) / (2 * DEVIATION**2))
    kernel = torch.outer(weights, weights)[None, None] / weights.sum() ** 2
    mx, my, xx, yy, xy = (conv2d(values, kernel) for values in (x, y, x * x, y * y, x * y))
    c1, c2 = STEADY
    alike = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2)
    most = (mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2)
    return (alike / most).flatten(1).mean(1)
