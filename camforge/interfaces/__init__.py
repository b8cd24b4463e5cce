"""One abstract base class per kind of plugin."""

from camforge.interfaces.backbone import Backbone
from camforge.interfaces.base import Plugin
from camforge.interfaces.concepts import ConceptExtractor, Concepts
from camforge.interfaces.dataset import Dataset, Split
from camforge.interfaces.extractor import (
    Extractor,
    GradientExtractor,
    LayerExtractor,
    LayerMerge,
    Layers,
    Percentile,
    RerunExtractor,
    Truncation,
    spatial_mean,
)
from camforge.interfaces.fuser import Axis, Fuser
from camforge.interfaces.grouper import Grouper, GroupingContext
from camforge.interfaces.metric import Family, Metric, Requirement
from camforge.interfaces.metric_input import ExplainedModel, MetricInput
from camforge.interfaces.seeds import ObjectTrainer, SeedLearner, Seeds, SeedTrainer
from camforge.interfaces.trainer import Learner, Plateau, Trainer

KINDS: dict[str, type[Plugin]] = {
    cls.kind: cls for cls in (Dataset, Backbone, Grouper, Trainer, Extractor, Fuser, Metric)
}

__all__ = [
    "KINDS",
    "Axis",
    "Backbone",
    "ConceptExtractor",
    "Concepts",
    "Dataset",
    "ExplainedModel",
    "Extractor",
    "Family",
    "Fuser",
    "GradientExtractor",
    "Grouper",
    "GroupingContext",
    "LayerExtractor",
    "LayerMerge",
    "Layers",
    "Learner",
    "Metric",
    "MetricInput",
    "ObjectTrainer",
    "Percentile",
    "Plateau",
    "Plugin",
    "Requirement",
    "RerunExtractor",
    "SeedLearner",
    "SeedTrainer",
    "Seeds",
    "Split",
    "Trainer",
    "Truncation",
    "spatial_mean",
]
