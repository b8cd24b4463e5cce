"""Built-in data sets."""

from camforge.api import Dataset, hookimpl
from camforge_plugins.datasets.coco import COCO
from camforge_plugins.datasets.cub import CUB
from camforge_plugins.datasets.image_folder import ImageFolder
from camforge_plugins.datasets.ksdd2 import KSDD2
from camforge_plugins.datasets.partworld import PartWorld
from camforge_plugins.datasets.stanford_cars import StanfordCars
from camforge_plugins.datasets.stanford_dogs import StanfordDogs
from camforge_plugins.datasets.stl10 import STL10
from camforge_plugins.datasets.voc import VOC
from camforge_plugins.datasets.wsol import WSOL


@hookimpl
def camforge_datasets() -> list[type[Dataset]]:
    """The classes of this folder."""
    return [COCO, CUB, ImageFolder, KSDD2, PartWorld, StanfordCars, StanfordDogs, STL10, VOC, WSOL]
