"""The only module that a plugin imports."""

from camforge.capture import Capture, LinearHead, Needs, Probe, stages_of
from camforge.hooks import hookimpl
from camforge.interfaces import (
    Axis,
    Backbone,
    Dataset,
    Extractor,
    Fuser,
    GradientExtractor,
    Grouper,
    LayerExtractor,
    LayerMerge,
    Layers,
    Learner,
    Metric,
    Percentile,
    Plateau,
    Plugin,
    RerunExtractor,
    Split,
    Trainer,
    Truncation,
    Workshop,
    spatial_mean,
)
from camforge.maps import max_normalise, merge_layers, minmax_normalise, resize, seed_mask, truncate
from camforge.types import (
    IGNORED,
    Batch,
    CamForgeError,
    Evidence,
    Grouping,
    ImageSet,
    Maps,
    Network,
    Sample,
    TrainedModel,
    View,
)

VERSION = "1.0"
"""The version of this interface: the first number changes when a plugin must change."""

__all__ = [
    "IGNORED", "VERSION", "Axis", "Backbone", "Batch", "CamForgeError", "Capture", "Dataset", "Evidence", "Extractor",
    "Fuser", "GradientExtractor", "Grouper", "Grouping", "ImageSet", "LayerExtractor", "LayerMerge", "Layers",
    "Learner", "LinearHead", "Maps", "Metric", "Needs", "Network", "Percentile", "Plateau", "Plugin", "Probe",
    "RerunExtractor", "Sample", "Split", "TrainedModel", "Trainer", "Truncation", "View", "Workshop", "hookimpl",
    "max_normalise", "merge_layers", "minmax_normalise", "resize", "seed_mask", "spatial_mean", "stages_of", "truncate",
]  # fmt: skip
