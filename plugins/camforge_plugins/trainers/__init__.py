"""Built-in trainers."""

from camforge.api import Trainer, hookimpl


@hookimpl
def camforge_trainers() -> list[type[Trainer]]:
    """The classes of this folder."""
    return []
