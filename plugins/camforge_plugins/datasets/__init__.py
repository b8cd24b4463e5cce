"""Built-in data sets."""

from camforge.api import Dataset, hookimpl
from camforge_plugins.datasets.partworld import PartWorld
from camforge_plugins.datasets.voc import VOC


@hookimpl
def camforge_datasets() -> list[type[Dataset]]:
    """The classes of this folder."""
    return [PartWorld, VOC]
