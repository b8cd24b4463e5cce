"""Built-in groupers."""

from camforge.api import Grouper, hookimpl

from .false_positive_clusters import FalsePositiveClusters
from .given import Given
from .kmeans_hierarchy import KMeansHierarchy
from .none import NoGrouping
from .random_hierarchy import RandomHierarchy


@hookimpl
def camforge_groupers() -> list[type[Grouper]]:
    """The classes of this folder."""
    return [NoGrouping, Given, KMeansHierarchy, RandomHierarchy, FalsePositiveClusters]
