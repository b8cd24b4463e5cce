"""Built-in trainers."""

from camforge.api import Trainer, hookimpl

from .acol import ACoL
from .binary_pair import BinaryPair
from .single import Single
from .two_branch_orthogonal import TwoBranchOrthogonal


@hookimpl
def camforge_trainers() -> list[type[Trainer]]:
    """The classes of this folder."""
    return [Single, TwoBranchOrthogonal, BinaryPair, ACoL]
