"""The only module that a plugin imports."""

import warnings

from camforge.capture import Attention, Capture, LinearHead, ModelLayers, Needs, probabilities, stages_of
from camforge.data.contents import content_hashes
from camforge.data.decoding import read_image, read_mask
from camforge.interfaces import (
    Axis,
    Backbone,
    ConceptExtractor,
    Concepts,
    Dataset,
    ExplainedModel,
    Extractor,
    Fuser,
    GradientExtractor,
    Grouper,
    GroupingContext,
    LayerExtractor,
    LayerMerge,
    Layers,
    Learner,
    Metric,
    MetricInput,
    ObjectTrainer,
    Percentile,
    Requirement,
    RerunExtractor,
    SeedLearner,
    SeedTrainer,
    Split,
    Trainer,
    Truncation,
    spatial_mean,
)
from camforge.interfaces.hookimpl import hookimpl
from camforge.maps import max_normalise, minmax_normalise, resize, seed_mask
from camforge.similarity import correlation, mean_ranks, rank_correlation, structural_similarity
from camforge.types import (
    IGNORED,
    CamForgeError,
    DatasetError,
    Grouping,
    ImageSet,
    Maps,
    Network,
    Sample,
    TrainedModel,
    View,
)
from camforge.weights import head_outputs, is_weights_file, load_state_dict, read_state_dict

VERSION = "2.0"
"""The version of this interface: the first number changes when a plugin must change.

2.0  the field's words: Metric.update and compute, needs_calibration and calibrate; MetricInput, GroupingContext,
     ModelLayers, DatasetError; Grouping.diagnostics and views_by_class; Extractor.tta_merge. Without Batch, Plateau,
     Plugin, merge_layers and truncate, which no plugin imports. Attention, Needs.attention, rules for Rerun.again,
     probabilities
1.1  Learner.summed, Metric.curves, Fuser.axis None, Maps.photographs, Options.renamed, read_image, read_mask
"""

_RENAMED: dict[str, tuple[str, str]] = {
    "Evidence": ("MetricInput", "2.1"), "Probe": ("ModelLayers", "2.1"), "Unusable": ("DatasetError", "2.1"),
    "Workshop": ("GroupingContext", "2.1"),
}  # fmt: skip
"""Old name -> (new name, the version in which the old one goes): at least one minor version warns before."""

__all__ = [  # noqa: RUF022 - by the kind of plugin that needs them
    # every plugin
    "CamForgeError", "VERSION", "hookimpl",
    # data sets
    "Dataset", "DatasetError", "IGNORED", "ImageSet", "Sample", "Split", "content_hashes", "read_image", "read_mask",
    # backbones
    "Backbone", "Network", "head_outputs", "is_weights_file", "load_state_dict", "read_state_dict", "stages_of",
    # groupers
    "Grouper", "Grouping", "GroupingContext", "TrainedModel", "View",
    # trainers
    "Learner", "ObjectTrainer", "SeedLearner", "SeedTrainer", "Trainer",
    # extractors
    "ConceptExtractor", "Concepts", "Extractor", "GradientExtractor", "LayerExtractor", "RerunExtractor",
    "Attention", "Capture", "LinearHead", "ModelLayers", "Needs", "probabilities",
    "LayerMerge", "Layers", "Percentile", "Truncation", "spatial_mean",
    # fusers
    "Axis", "Fuser", "Maps",
    # metrics
    "ExplainedModel", "Metric", "MetricInput", "Requirement",
    # maps, whatever reads or makes them
    "correlation", "max_normalise", "mean_ranks", "minmax_normalise", "rank_correlation", "resize", "seed_mask",
    "structural_similarity",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _RENAMED:
        raise AttributeError(f"module 'camforge.api' has no attribute {name!r}")
    new, gone = _RENAMED[name]
    warnings.warn(f"camforge.api.{name} is now {new}; {name} goes in {gone}", DeprecationWarning, stacklevel=2)
    return globals()[new]
