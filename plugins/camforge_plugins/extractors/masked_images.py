"""What extractors that run the network on changed images share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from camforge.api import Capture, Extractor, probabilities


class MaskedImages(Extractor):
    """An extractor that looks only at what the network returns for images of which parts are hidden."""

    output: Literal["logit", "softmax"] = "softmax"
    """What of the network's output is the score; "softmax" of a single output is its sigmoid."""
    max_memory: Annotated[int, Field(ge=1)] | None = None
    """MiB that a chunk of images may take, about; None: what suits the device."""

    def scores_under(self, capture: Capture, rows: int, hidden: Callable[[Tensor, int, int], Tensor]) -> Tensor:
        """(P, rows): the score of each pair's image hidden in ``rows`` ways.

        hidden(image, start, stop) gives (stop - start, 3, H, W) of an image (3, H, W)
        """

        def of_pair(pair: int) -> Tensor:
            image = capture.inputs[pair]
            return self.output_of(
                capture.rerun.logits(pair, rows, lambda start, stop: hidden(image, start, stop), self.max_memory)
            )

        return capture.scores(capture.rerun.table((self.name, id(self)), rows, of_pair))

    def output_of(self, logits: Tensor) -> Tensor:
        return probabilities(logits) if self.output == "softmax" else logits
