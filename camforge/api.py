"""The only module that a plugin imports."""

import warnings

from camforge.capture import Capture, LinearHead, Needs, Probe, stages_of
from camforge.data.decoding import read_image, read_mask
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
from camforge.interfaces.hookimpl import hookimpl
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
    Unusable,
    View,
)

VERSION = "1.1"
"""The version of this interface: the first number changes when a plugin must change.

1.1  Learner.summed, Metric.tunes, tuned and curves, Fuser.axis None, Maps.photographs, Options.renamed,
     read_image, read_mask, Unusable
"""

_RENAMED: dict[str, tuple[str, str]] = {}
"""Old name -> (new name, the version in which the old one goes): at least one minor version warns before."""

__all__ = [
    "IGNORED", "VERSION", "Axis", "Backbone", "Batch", "CamForgeError", "Capture", "Dataset", "Evidence", "Extractor",
    "Fuser", "GradientExtractor", "Grouper", "Grouping", "ImageSet", "LayerExtractor", "LayerMerge", "Layers",
    "Learner", "LinearHead", "Maps", "Metric", "Needs", "Network", "Percentile", "Plateau", "Plugin", "Probe",
    "RerunExtractor", "Sample", "Split", "TrainedModel", "Trainer", "Truncation", "Unusable", "View", "Workshop",
    "hookimpl", "max_normalise", "merge_layers", "minmax_normalise", "read_image", "read_mask", "resize", "seed_mask",
    "spatial_mean", "stages_of", "truncate",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _RENAMED:
        raise AttributeError(f"module 'camforge.api' has no attribute {name!r}")
    new, gone = _RENAMED[name]
    warnings.warn(f"camforge.api.{name} is now {new}; {name} goes in {gone}", DeprecationWarning, stacklevel=2)
    return globals()[new]
