"""An extractor in fewer than twenty lines: layers, truncation and flips come free."""

from camforge.api import GradientExtractor


class PositiveCAM(GradientExtractor):
    """Positive CAM: sum_k ReLU(mean(dy/dA_k)) * A_k^power, channels that speak for the target alone."""

    name = "positive_cam"
    api = "2.0"

    power: float = 1.0
    """Above 1: strong activations count for more."""

    def cam(self, activations, gradients):  # (P, C, h, w) each -> (P, h, w)
        weights = gradients.mean((2, 3), keepdim=True).relu()
        return (weights * activations.relu() ** self.power).sum(1)
