"""Built-in metrics."""

from camforge.api import Metric, hookimpl
from camforge_plugins.metrics.average_drop import AverageDrop
from camforge_plugins.metrics.coverage import Coverage
from camforge_plugins.metrics.energy import Energy
from camforge_plugins.metrics.insertion_deletion import InsertionDeletion
from camforge_plugins.metrics.localization import Localization
from camforge_plugins.metrics.maxboxacc import MaxBoxAcc
from camforge_plugins.metrics.miou import MeanIoU
from camforge_plugins.metrics.mlev import MeanLocalizationError
from camforge_plugins.metrics.pointing_game import PointingGame
from camforge_plugins.metrics.pxap import PxAP
from camforge_plugins.metrics.road import ROAD
from camforge_plugins.metrics.segmentation import Segmentation
from camforge_plugins.metrics.threshold_sweep import ThresholdSweep


@hookimpl
def camforge_metrics() -> list[type[Metric]]:
    """The classes of this folder."""
    return [
        AverageDrop,
        Coverage,
        Energy,
        InsertionDeletion,
        Localization,
        MaxBoxAcc,
        MeanIoU,
        MeanLocalizationError,
        PointingGame,
        PxAP,
        ROAD,
        Segmentation,
        ThresholdSweep,
    ]
