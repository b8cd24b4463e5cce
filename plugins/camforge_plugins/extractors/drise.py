"""D-RISE."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from camforge_plugins.extractors.rise import RISE


class DRISE(RISE):
    """D-RISE: RISE with the likeness of what a detector finds to a given box as the score (Petsiuk et al. 2021).

    The likeness is the largest over found boxes of IoU times the cosine of class scores times objectness:
    ``select=DetectedBox(box, label, what="similarity")`` of ``camforge.explanation.targets`` computes it. Masks are
    finer than RISE's.
    """

    name = "drise"

    output: Literal["logit", "softmax"] = "logit"
    """What of the output is the score: the likeness as it is."""
    samples: Annotated[int, Field(ge=1)] = 1000
    """How many masks; the paper takes 5000."""
    cells: Annotated[int, Field(ge=1)] = 16
    """Cells of the grid along each axis."""
