"""Multi-layer maps kept to where the deepest layer looks."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from camforge.api import Fuser, Maps


class ProductWithLast(Fuser):
    """(sum over layers of M_l) * M_last, the last one counted in the sum ("Representative Class Selection", sec. 4.3).

    Every layer's map is rectified, and divided by its maximum, at the common size.
    """

    name = "product_with_last"
    axis: Literal["layer"] = "layer"
    normalise: Literal["none", "max"] = "max"

    def fuse(self, values: Tensor, maps: Maps) -> Tensor:
        del maps
        return values.sum(1) * values[:, -1]
