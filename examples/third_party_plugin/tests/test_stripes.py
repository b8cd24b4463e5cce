"""CamForge's contracts, run on these plugins, and numbers worked out by hand."""

import torch
from camforge_stripes import Agreement, PositiveCAM, SoftmaxMean

from camforge.testing import ExtractorContract, FuserContract, MetricContract


class TestPositiveCAM(ExtractorContract):
    cases = (PositiveCAM(), PositiveCAM(power=2, layers="stages"))

    def reference(self, plugin, activations, gradients):
        total = torch.zeros(activations.shape[1:], dtype=torch.float64)
        for activation, gradient in zip(activations, gradients, strict=True):
            weight = max(float(gradient.sum()) / gradient.numel(), 0.0)
            total += weight * activation.clamp(min=0) ** plugin.power
        return total


class TestSoftmaxMean(FuserContract):
    cases = (SoftmaxMean(axis="view"), SoftmaxMean(axis="layer", temperature=0.1))


class TestAgreement(MetricContract):
    cases = (Agreement(),)


def test_agreement_by_hand():
    assert Agreement().compute(torch.tensor([3.0, 4.0]), ("cat",)) == {"agreement": 75.0}
