"""Guided backpropagation."""

from typing import Literal

from torch import Tensor

from camforge.api import Capture, Extractor, Needs

Channels = Literal["max", "sum"]


class GuidedBackprop(Extractor):
    """Guided backpropagation: dy/dimage where ReLUs pass back positive gradients alone (Springenberg et al. 2015).

    It shows edges, hardly the target. ReLU6 counts as a ReLU; a model without any is refused. One more forward.
    """

    name = "guidedbackprop"

    channels: Channels = "max"
    """How three colours become one value: the largest absolute one (Simonyan et al. 2014, sec. 3.1), or their sum."""

    def extract(self, capture: Capture) -> list[Tensor]:
        return [one_value(guided_gradients(capture), self.channels)]


def guided_gradients(capture: Capture) -> Tensor:
    """(P, 3, H, W): the guided gradient of each pair's score with respect to its image."""
    found = capture.rerun.guided(Needs(input_gradients=True)).input_gradients
    assert found is not None  # they were asked for
    return found


def one_value(colours: Tensor, channels: Channels) -> Tensor:
    """(P, 3, …) -> (P, …)."""
    return colours.abs().amax(1) if channels == "max" else colours.sum(1)
