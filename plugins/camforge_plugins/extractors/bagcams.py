"""BagCAMs."""

from typing import Literal

from torch import Tensor

from camforge.api import Capture, GradientExtractor, ModelLayers, Needs, spatial_mean


class BagCAMs(GradientExtractor):
    """BagCAMs: sum_k ReLU(A_k g_k * mean(1 + A_k g_k)), g = d log y / dA (Zhu et al., ECCV 2022, authors' code).

    Every place of the features gives a regional classifier; the map sums over all of them. g is the score's gradient
    over the score, so that the map of a negative score is turned round.
    """

    name = "bagcams"

    relu: Literal["guided", "plain"] = "guided"
    """"guided": ReLUs behind the layer pass back positive gradients alone, as in the authors' code; one more forward.
    """

    def needs(self, model_layers: ModelLayers) -> Needs:
        layers = model_layers.resolve(self.layers)
        return Needs(activations=layers, gradients=layers if self.relu == "plain" else ())

    def cam(self, activations: Tensor, gradients: Tensor) -> Tensor:
        """``gradients`` are those of the score's logarithm."""
        shares = activations * gradients
        return (shares * (1 + spatial_mean(shares))).relu().sum(1)

    def extract(self, capture: Capture) -> list[Tensor]:
        layers = capture.resolve(self.layers)
        own = capture
        if self.relu == "guided":
            own = capture.rerun.guided(Needs(gradients=layers), required=False)
        return self.merged([self._map(capture, layer, own.gradients[layer]) for layer in layers])

    def _map(self, capture: Capture, layer: str, gradients: Tensor) -> Tensor:
        score = capture.scores(capture.logits).reshape(-1, *(1,) * (gradients.dim() - 1))
        return self.cam(capture.activations[layer], self.truncated(gradients) / score)
