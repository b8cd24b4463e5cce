"""Built-in datasets."""

from camforge.api import Dataset, hookimpl


@hookimpl
def camforge_datasets() -> list[type[Dataset]]:
    """The classes of this folder."""
    return []
