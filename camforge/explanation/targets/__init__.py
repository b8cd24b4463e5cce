"""What people ask of models that are no plain classifiers: ``select=`` functions and targets for explain().

Each turns what a model returns into numbers (N, K), or a row of them (K,) into one number, differentiably.
"""

from camforge.explanation.targets.detected import DetectedBox, NoBox, What, box_caption
from camforge.explanation.targets.scores import ClassScores, ForTexts, Regions, SimilarTo

__all__ = ["ClassScores", "DetectedBox", "ForTexts", "NoBox", "Regions", "SimilarTo", "What", "box_caption"]
