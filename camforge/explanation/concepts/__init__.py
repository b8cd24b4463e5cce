"""An image's concepts, each with the classes that the network takes it for."""

from camforge.explanation.concepts.concepts import ConceptExplanation, concepts

__all__ = ["ConceptExplanation", "concepts"]
