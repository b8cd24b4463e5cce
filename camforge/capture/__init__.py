"""One forward and the least backward, for any number of extractors, layers and targets."""

from camforge.capture.captured import Capture, LinearHead, Needs
from camforge.capture.one_pass import captures, target_lists
from camforge.capture.probe import Probe, stages_of, unwrap

__all__ = ["Capture", "LinearHead", "Needs", "Probe", "captures", "stages_of", "target_lists", "unwrap"]
