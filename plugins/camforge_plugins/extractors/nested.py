"""Extractors inside extractors."""

from camforge.api import Extractor


def refuse_augmented(base: Extractor) -> Extractor:
    """Augmentation belongs to the outer extractor: the pass would not see the inner one's."""
    if base.flip or base.scales != (1.0,):
        raise ValueError(f"scales and flip of {base.name} inside another extractor: set them on the outer one")
    return base
