"""Built-in metrics."""

from camforge.api import Metric, hookimpl


@hookimpl
def camforge_metrics() -> list[type[Metric]]:
    """The classes of this folder."""
    return []
