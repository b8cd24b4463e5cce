"""LT Grad-CAM."""

from camforge.api import LayerMerge, Layers, Percentile
from camforge_plugins.extractors.gradcam import GradCAM


class LTGradCAM(GradCAM):
    """Grad-CAM of all stages from truncated gradients, summed (Dong et al. 2023, eq. 10)."""

    name = "ltgradcam"

    layers: Layers = "stages"
    """"last", "stages", or module paths."""
    merge: LayerMerge | None = "sum"
    """How the layers' maps become one; None leaves them to the experiment's fusers."""
    truncate: Percentile | None = 20.0
    """Keep a gradient where it reaches this percentile of its channel's positive values; 0 keeps all of them."""
