"""One forward and the least backward, for any number of extractors, layers and targets."""

from camforge.capture.attention.recorded import Attention
from camforge.capture.captured import Capture, Needs
from camforge.capture.head import LinearHead
from camforge.capture.layers import ModelLayers, stages_of, unwrap
from camforge.capture.one_pass import Extraction, MapMaker, extract_maps
from camforge.capture.targets import Highest, Targets, probabilities, target_lists

__all__ = [
    "Attention",
    "Capture",
    "Extraction",
    "Highest",
    "LinearHead",
    "MapMaker",
    "ModelLayers",
    "Needs",
    "Targets",
    "extract_maps",
    "probabilities",
    "stages_of",
    "target_lists",
    "unwrap",
]  # fmt: skip
