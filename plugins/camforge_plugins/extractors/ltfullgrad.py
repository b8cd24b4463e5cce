"""LT FullGrad."""

from camforge.api import Percentile
from camforge_plugins.extractors.fullgrad import FullGrad


class LTFullGrad(FullGrad):
    """FullGrad, which reads all layers by itself, from truncated bias gradients (Dong et al. 2023, sec. 2.3)."""

    name = "ltfullgrad"

    truncate: Percentile | None = 20.0
    """Keep a bias gradient where it reaches this percentile of its channel's positive values; 0 keeps all of them."""
