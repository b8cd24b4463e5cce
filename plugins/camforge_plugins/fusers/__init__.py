"""Built-in fusers."""

from camforge.api import Fuser, hookimpl


@hookimpl
def camforge_fusers() -> list[type[Fuser]]:
    """The classes of this folder."""
    return []
