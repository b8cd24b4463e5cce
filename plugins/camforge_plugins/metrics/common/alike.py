"""How alike two maps are, by the measure that a metric names."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from camforge.api import correlation, rank_correlation, structural_similarity

Measure = Literal["ssim", "spearman", "pearson"]


def alike(a: Tensor, b: Tensor, measure: Measure) -> Tensor:
    """(P, H, W) twice -> (P,) float64, at most 1."""
    if measure == "ssim":
        return structural_similarity(a, b)
    return (rank_correlation if measure == "spearman" else correlation)(a.flatten(1), b.flatten(1))
