"""How alike two maps are, whatever their scales."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from camforge.maps import max_normalise

WINDOW, DEVIATION = 11, 1.5  # of SSIM's Gaussian (Wang et al. 2004, sec. III-B)
STEADY = (0.01**2, 0.03**2)  # its constants, for values in 0..1


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """(P, H, W) twice -> (P,) float64: Spearman's, equal values sharing their mean rank; 0 where a map is constant."""
    x, y = (ranks - ranks.mean(1, keepdim=True) for ranks in (_mean_ranks(a), _mean_ranks(b)))
    length = x.norm(dim=1) * y.norm(dim=1)
    return torch.where(length > 0, (x * y).sum(1) / torch.where(length > 0, length, 1), 0)


def _mean_ranks(maps: Tensor) -> Tensor:
    flat = maps.flatten(1).contiguous()
    ordered = flat.sort(1).values
    lower, upper = (torch.searchsorted(ordered, flat, right=right) for right in (False, True))
    return (lower + upper).double() / 2


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
