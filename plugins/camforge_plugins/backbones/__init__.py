"""Built-in backbones."""

from camforge.api import Backbone, hookimpl


@hookimpl
def camforge_backbones() -> list[type[Backbone]]:
    """The classes of this folder."""
    return []
