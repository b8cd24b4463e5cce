"""Built-in groupers."""

from camforge.api import Grouper, hookimpl


@hookimpl
def camforge_groupers() -> list[type[Grouper]]:
    """The classes of this folder."""
    return []
