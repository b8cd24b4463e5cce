"""Built-in metrics."""

from camforge.api import Metric, hookimpl
from camforge_plugins.metrics.coverage import Coverage
from camforge_plugins.metrics.miou import MeanIoU
from camforge_plugins.metrics.mlev import MeanLocalizationError


@hookimpl
def camforge_metrics() -> list[type[Metric]]:
    """The classes of this folder."""
    return [Coverage, MeanIoU, MeanLocalizationError]
