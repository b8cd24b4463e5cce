"""Built-in trainers."""

from camforge.api import Trainer, hookimpl

from .acol import ACoL
from .adl import ADL
from .affinity import Affinity
from .binary_pair import BinaryPair
from .cutmix import CutMix
from .has import HaS
from .irn import IRN
from .lpcam import LPCAM
from .pixels import Pixels
from .saliency import Saliency
from .single import Single
from .spg import SPG
from .two_branch_orthogonal import TwoBranchOrthogonal


@hookimpl
def camforge_trainers() -> list[type[Trainer]]:
    """The classes of this folder."""
    return [
        Single, TwoBranchOrthogonal, BinaryPair, ACoL, HaS, ADL, CutMix, SPG, Pixels, Affinity, IRN, LPCAM, Saliency,
    ]  # fmt: skip
