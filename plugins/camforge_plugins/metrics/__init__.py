"""Built-in metrics, in folders by family."""

from camforge.api import Metric, hookimpl
from camforge_plugins.metrics.axiomatic.completeness import Completeness
from camforge_plugins.metrics.axiomatic.input_invariance import InputInvariance
from camforge_plugins.metrics.axiomatic.non_sensitivity import NonSensitivity
from camforge_plugins.metrics.complexity.complexity import Complexity
from camforge_plugins.metrics.complexity.effective_complexity import EffectiveComplexity
from camforge_plugins.metrics.complexity.sparseness import Sparseness
from camforge_plugins.metrics.faithfulness.adcc import ADCC
from camforge_plugins.metrics.faithfulness.arcc import ARCC
from camforge_plugins.metrics.faithfulness.average_drop import AverageDrop
from camforge_plugins.metrics.faithfulness.faithfulness_correlation import FaithfulnessCorrelation
from camforge_plugins.metrics.faithfulness.faithfulness_estimate import FaithfulnessEstimate
from camforge_plugins.metrics.faithfulness.infidelity import Infidelity
from camforge_plugins.metrics.faithfulness.insertion_deletion import InsertionDeletion
from camforge_plugins.metrics.faithfulness.irof import IROF
from camforge_plugins.metrics.faithfulness.monotonicity import Monotonicity
from camforge_plugins.metrics.faithfulness.monotonicity_correlation import MonotonicityCorrelation
from camforge_plugins.metrics.faithfulness.part_deletion import PartDeletion
from camforge_plugins.metrics.faithfulness.part_distractibility import PartDistractibility
from camforge_plugins.metrics.faithfulness.pixel_flipping import PixelFlipping
from camforge_plugins.metrics.faithfulness.region_perturbation import RegionPerturbation
from camforge_plugins.metrics.faithfulness.road import ROAD
from camforge_plugins.metrics.faithfulness.selectivity import Selectivity
from camforge_plugins.metrics.faithfulness.sensitivity_n import SensitivityN
from camforge_plugins.metrics.faithfulness.sufficiency import Sufficiency
from camforge_plugins.metrics.localization.attribution_localization import AttributionLocalization
from camforge_plugins.metrics.localization.auc import AUC
from camforge_plugins.metrics.localization.coverage import Coverage
from camforge_plugins.metrics.localization.energy import Energy
from camforge_plugins.metrics.localization.localization import Localization
from camforge_plugins.metrics.localization.maxboxacc import MaxBoxAcc
from camforge_plugins.metrics.localization.miou import MeanIoU
from camforge_plugins.metrics.localization.mlev import MeanLocalizationError
from camforge_plugins.metrics.localization.pointing_game import PointingGame
from camforge_plugins.metrics.localization.pxap import PxAP
from camforge_plugins.metrics.localization.relevance_mass import RelevanceMass
from camforge_plugins.metrics.localization.relevance_rank import RelevanceRank
from camforge_plugins.metrics.localization.segmentation import Segmentation
from camforge_plugins.metrics.localization.threshold_sweep import ThresholdSweep
from camforge_plugins.metrics.localization.top_k_intersection import TopKIntersection
from camforge_plugins.metrics.randomization.efficient_mprt import EfficientMPRT
from camforge_plugins.metrics.randomization.mprt import MPRT
from camforge_plugins.metrics.randomization.random_logit import RandomLogit
from camforge_plugins.metrics.randomization.smooth_mprt import SmoothMPRT
from camforge_plugins.metrics.robustness.avg_sensitivity import AvgSensitivity
from camforge_plugins.metrics.robustness.consistency import Consistency
from camforge_plugins.metrics.robustness.continuity import Continuity
from camforge_plugins.metrics.robustness.local_lipschitz import LocalLipschitz
from camforge_plugins.metrics.robustness.max_sensitivity import MaxSensitivity
from camforge_plugins.metrics.robustness.relative_input_stability import RelativeInputStability
from camforge_plugins.metrics.robustness.relative_output_stability import RelativeOutputStability
from camforge_plugins.metrics.robustness.relative_representation_stability import RelativeRepresentationStability

FAITHFULNESS: tuple[type[Metric], ...] = (
    ADCC, ARCC, AverageDrop, FaithfulnessCorrelation, FaithfulnessEstimate, IROF, Infidelity, InsertionDeletion,
    Monotonicity, MonotonicityCorrelation, PartDeletion, PartDistractibility, PixelFlipping, ROAD, RegionPerturbation,
    Selectivity, SensitivityN, Sufficiency,
)  # fmt: skip
ROBUSTNESS: tuple[type[Metric], ...] = (
    AvgSensitivity, Consistency, Continuity, LocalLipschitz, MaxSensitivity, RelativeInputStability,
    RelativeOutputStability, RelativeRepresentationStability,
)  # fmt: skip
LOCALIZATION: tuple[type[Metric], ...] = (
    AUC, AttributionLocalization, Coverage, Energy, Localization, MaxBoxAcc, MeanIoU, MeanLocalizationError,
    PointingGame, PxAP, RelevanceMass, RelevanceRank, Segmentation, ThresholdSweep, TopKIntersection,
)  # fmt: skip
COMPLEXITY: tuple[type[Metric], ...] = (Complexity, EffectiveComplexity, Sparseness)
RANDOMIZATION: tuple[type[Metric], ...] = (EfficientMPRT, MPRT, RandomLogit, SmoothMPRT)
AXIOMATIC: tuple[type[Metric], ...] = (Completeness, InputInvariance, NonSensitivity)


@hookimpl
def camforge_metrics() -> list[type[Metric]]:
    """The classes of these folders."""
    return [*FAITHFULNESS, *ROBUSTNESS, *LOCALIZATION, *COMPLEXITY, *RANDOMIZATION, *AXIOMATIC]
