"""Built-in extractors."""

from camforge.api import Extractor, hookimpl


@hookimpl
def camforge_extractors() -> list[type[Extractor]]:
    """The classes of this folder."""
    return []
