"""Built-in fusers."""

from camforge.api import Fuser, hookimpl

from .compete import Compete
from .dense_crf import DenseCRF
from .hierarchy import Hierarchy
from .max import Max
from .mean import Mean
from .pamr import PAMR
from .product_with_last import ProductWithLast
from .share import Share
from .sum import Sum


@hookimpl
def camforge_fusers() -> list[type[Fuser]]:
    """The classes of this folder."""
    return [Sum, Mean, Max, Hierarchy, ProductWithLast, Compete, Share, PAMR, DenseCRF]
