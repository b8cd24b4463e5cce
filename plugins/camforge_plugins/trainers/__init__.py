"""Built-in trainers."""

from camforge.api import Trainer, hookimpl

from .single import Single
from .two_branch_orthogonal import TwoBranchOrthogonal


@hookimpl
def camforge_trainers() -> list[type[Trainer]]:
    """The classes of this folder."""
    return [Single, TwoBranchOrthogonal]
