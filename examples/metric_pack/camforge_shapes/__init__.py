"""What this distribution adds to CamForge: three metrics of a map's shape, which need no truth."""

from camforge.api import hookimpl
from camforge_shapes.metrics import PeakShare, Roughness, Spread


@hookimpl
def camforge_metrics():
    return [PeakShare, Roughness, Spread]
