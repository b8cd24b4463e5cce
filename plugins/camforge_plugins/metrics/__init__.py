"""Built-in metrics."""

from camforge.api import Metric, hookimpl
from camforge_plugins.metrics.faithfulness.average_drop import AverageDrop
from camforge_plugins.metrics.faithfulness.insertion_deletion import InsertionDeletion
from camforge_plugins.metrics.faithfulness.road import ROAD
from camforge_plugins.metrics.localization.coverage import Coverage
from camforge_plugins.metrics.localization.energy import Energy
from camforge_plugins.metrics.localization.localization import Localization
from camforge_plugins.metrics.localization.maxboxacc import MaxBoxAcc
from camforge_plugins.metrics.localization.miou import MeanIoU
from camforge_plugins.metrics.localization.mlev import MeanLocalizationError
from camforge_plugins.metrics.localization.pointing_game import PointingGame
from camforge_plugins.metrics.localization.pxap import PxAP
from camforge_plugins.metrics.localization.segmentation import Segmentation
from camforge_plugins.metrics.localization.threshold_sweep import ThresholdSweep


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
