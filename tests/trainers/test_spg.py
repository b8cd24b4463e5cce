"""Self-produced guidance, against its losses pixel by pixel in float64."""

import math

import cam_oracle as oracle
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from camforge.api import Backbone, CamForgeError, Network
from camforge_plugins.trainers.spg import FEWEST, SPG, SPGLearner, class_attention, guided_loss


class ThreeStages(Backbone):
    """Three convolutions of strides 2, 1 and 2, pooled."""

    name = "three_stages"

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        del pretrained
        layers = [
            nn.Sequential(nn.Conv2d(before, after, 3, stride, padding=1), nn.ReLU())
            for before, after, stride in ((3, 4, 2), (4, 6, 1), (6, 5, 2))
        ]
        body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, outputs))
        return Network(body, ("0", "1", "2"), "5")


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    return torch.randn(3, 3, 14, 10).double(), torch.eye(4)[[0, 2, 3]].double()


def learner(**options: object) -> SPGLearner:
    return SPG(backbone=ThreeStages(), loss="softmax", width=6, **options).learner(4).double()  # type: ignore[arg-type]


def slow_loss(logits: Tensor, teacher: Tensor, high: float, low: float) -> float:
    """The mean over the batch's decided pixels of -log p(foreground or background), a pixel at a time."""
    total, count = 0.0, 0
    for image, attention in zip(logits.tolist(), teacher.tolist(), strict=True):
        values = [value for row in attention for value in row]
        bar = high if sum(value > high for value in values) >= 30 else 0.7 * max(values)
        for x, value in zip((x for row in image for x in row), values, strict=True):
            if value < low:
                total, count = total + math.log1p(math.exp(x)), count + 1
            elif value > bar:
                total, count = total + math.log1p(math.exp(-x)), count + 1
    return total / max(count, 1)


def test_the_losses_are_those_of_the_paper(batch: tuple[Tensor, Tensor]) -> None:
    images, targets = batch
    spg = learner(thresholds=((0.6, 0.1), (0.52, 0.45), (0.51, 0.48)))
    body, found = spg.networks[0].body, []
    x = images
    for stage in body[:3]:
        x = stage(x)
        found.append(x)
    early, middle, last = found
    grown = [
        torch.stack([oracle.upsampled(values, 14, 10) for values in head[:, 0].detach()])
        for head in (spg.shared(spg.early(early)), spg.shared(spg.middle(middle)), spg.last(last))
    ]
    weight = body[5].weight.detach()
    maps = [
        (weight[c][:, None, None] * f).sum(0) for c, f in zip(targets.argmax(1).tolist(), last.detach(), strict=True)
    ]
    attention = torch.stack([oracle.unit(oracle.upsampled(m, 14, 10)) for m in maps])
    one, two = (1 / (1 + (-values).exp()) for values in grown[:2])
    losses = {name: float(value.detach()) for name, value in spg.losses(images, targets).items()}
    assert losses["loss"] == pytest.approx(float(cross_entropy(spg.networks[0](images), targets.argmax(1)).detach()))
    assert losses["loss_middle"] == pytest.approx(slow_loss(grown[1], attention, 0.6, 0.1))
    assert losses["loss_early"] == pytest.approx(slow_loss(grown[0], two, 0.52, 0.45))
    assert losses["loss_last"] == pytest.approx(slow_loss(grown[2], (one + two) / 2, 0.51, 0.48))


def test_few_bright_pixels_lower_the_threshold_of_their_image_alone() -> None:
    logits, attention = torch.randn(2, 8, 8).double(), torch.rand(2, 8, 8).double()
    attention[0] *= 0.5  # nothing above 0.7
    assert (attention[1] > 0.6).sum() < FEWEST <= (attention[1] > 0.3).sum()
    for high in (0.3, 0.6, 0.7):
        assert float(guided_loss(logits, attention, high, 0.1)) == pytest.approx(
            slow_loss(logits, attention, high, 0.1)
        )
    assert float(guided_loss(logits, torch.full((2, 8, 8), 0.5).double(), 0.9, 0.1)) == pytest.approx(
        slow_loss(logits, torch.full((2, 8, 8), 0.5), 0.9, 0.1)
    )


def test_of_several_shown_outputs_the_strongest_guides(batch: tuple[Tensor, Tensor]) -> None:
    images, _ = batch
    both, single = torch.tensor([[1.0, 0, 1, 0]]).double(), torch.eye(4).double()
    spg = SPG(backbone=ThreeStages(), loss="bce", width=6).learner(4).double()
    logits = torch.zeros(1, 14, 10).double()
    last = spg.networks[0].body[:3](images[:1]).detach()
    size = images.shape[2:]
    weight = spg.networks[0].class_features()
    ones = [class_attention(last, weight, single[[c]], size, "bce") for c in (0, 2)]
    together = class_attention(last, weight, both, size, "bce")
    torch.testing.assert_close(together, torch.maximum(*ones))
    torch.testing.assert_close(ones[0], class_attention(last, weight, single[[0]], size, "softmax"))
    assert float(guided_loss(logits, together, 0.7, 0.01)) == pytest.approx(math.log(2))


def test_teachers_get_no_gradient_and_every_head_learns(batch: tuple[Tensor, Tensor]) -> None:
    spg = learner()
    spg.losses(*batch)["loss_last"].backward()
    assert all(
        parameter.grad is None for part in (spg.early, spg.middle, spg.shared) for parameter in part.parameters()
    )
    assert spg.networks[0].body[5].weight.grad is None, "the class map is a teacher"
    sum(value for name, value in spg.losses(*batch).items() if "loss" in name).backward()
    for parameter in spg.parameters():
        assert parameter.grad is not None
    assert not any(module._forward_hooks for module in spg.modules())


def test_wrong_layers_and_thresholds_are_told(two_convs: Backbone) -> None:
    with pytest.raises(CamForgeError, match=r"spg: backbone 'two_convs' has 2 stages: name two layers"):
        SPG(backbone=two_convs).learner(2)
    with pytest.raises(CamForgeError, match=r"spg: backbone 'two_convs' has no layer '9'"):
        SPG(backbone=two_convs, layers=("1", "9")).learner(2)
    with pytest.raises(CamForgeError, match=r"layer '5' that returns \(1, .*\), no feature map"):
        SPG(backbone=two_convs, layers=("5", "3")).learner(2)
    assert SPG(backbone=two_convs, layers=("0", "1")).learner(2).paths == ("0", "1", "3")
    with pytest.raises(ValueError, match="each pair is a high and a low threshold"):
        SPG(backbone=two_convs, thresholds=((0.1, 0.7), (0.5, 0.05), (0.7, 0.1)))
