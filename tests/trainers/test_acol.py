"""ACoL: what is erased, who learns from what, and that a trained pair survives the store."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from camforge.api import Backbone, CamForgeError, Learner, Network
from camforge_plugins.trainers.acol import ACoL, erase, predicted


class Crooked(Backbone):
    """A network that no tracer can follow."""

    name = "crooked"

    def build(self, outputs: int, pretrained: bool = True) -> Network:
        del pretrained

        class Body(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, outputs)

            def forward(self, x):
                return self.fc(self.conv(x).mean((2, 3))) if x.sum() > 0 else self.fc(x.new_zeros(1, 4))

        return Network(Body(), ("conv",), "fc")


@pytest.fixture
def learner(two_convs):
    return ACoL(backbone=two_convs, width=6).learner(2)


@pytest.fixture
def batch():
    return torch.rand(4, 3, 10, 10), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])


def slow_erase(features, maps, shown, threshold):
    out = features.clone()
    for b in range(len(features)):
        for k in range(maps.shape[1]):
            if not shown[b, k]:
                continue
            low, high = maps[b, k].min(), maps[b, k].max()
            for y in range(maps.shape[2]):
                for x in range(maps.shape[3]):
                    if high > low and (maps[b, k, y, x] - low) / (high - low) >= threshold:
                        out[b, :, y, x] = 0
    return out


def test_the_strongest_places_of_every_shown_class_are_erased() -> None:
    features, maps = torch.rand(3, 2, 4, 5), torch.randn(3, 3, 4, 5)
    maps[2, 0] = 0.5  # constant: nothing stands out, nothing is erased
    shown = torch.tensor([[1, 0, 0], [1, 1, 0], [1, 0, 0]], dtype=torch.bool)
    erased = erase(features, maps, shown, 0.6)
    assert torch.equal(erased, slow_erase(features, maps, shown, 0.6))
    assert torch.equal(erased[2], features[2])
    assert not torch.equal(erased[1], features[1])


def test_predicted_labels() -> None:
    logits = torch.tensor([[2.0, 1.0, -1.0], [-3.0, -2.0, -1.0]])
    assert predicted(logits, "bce").tolist() == [[True, True, False], [False, False, True]]
    assert predicted(logits, "softmax").tolist() == [[True, False, False], [False, False, True]]


def test_losses_by_hand(learner: Learner, batch: tuple[Tensor, Tensor]) -> None:
    first, second = (network.body for network in learner.networks)
    features = first.trunk(batch[0])
    activation = first.classifier.convs(features)
    maps = (first.classifier.fc.weight[None, :, :, None, None] * activation[:, None]).sum(2)
    losses = learner.losses(*batch)
    assert torch.allclose(losses["loss_first"], bce(first(batch[0]), batch[1]))
    rest = slow_erase(features.detach(), maps.detach(), batch[1] > 0, 0.6)
    assert torch.allclose(losses["loss_second"], bce(second.classifier(rest), batch[1]))


def test_the_trunk_ends_at_the_last_stage_and_is_shared(
    learner: Learner, two_convs: Backbone, batch: tuple[Tensor, Tensor]
) -> None:
    first, second = (network.body for network in learner.networks)
    assert first.trunk is second.trunk
    assert first.classifier is second.first
    assert not any(isinstance(module, nn.Linear) for module in first.trunk.modules())
    torch.manual_seed(1)
    whole = two_convs.build(2)
    torch.manual_seed(1)
    cut = ACoL(backbone=two_convs, width=6).learner(2).networks[0].body.trunk
    expected = nn.functional.avg_pool2d(whole.features(batch[0])[1], 3, stride=1, padding=1)
    assert torch.allclose(cut(batch[0]), expected)


def test_the_second_loss_does_not_teach_the_first_classifier(learner: Learner, batch: tuple[Tensor, Tensor]) -> None:
    learner.losses(*batch)["loss_second"].backward()
    first, second = (network.body for network in learner.networks)
    assert all(p.grad is None for p in first.classifier.parameters())
    assert all(p.grad is not None for p in second.classifier.parameters())
    assert all(p.grad is not None for p in first.trunk.parameters())


def test_outside_training_the_predicted_class_is_erased(learner: Learner, batch: tuple[Tensor, Tensor]) -> None:
    first, second = (network.body.eval() for network in learner.networks)
    features = first.trunk(batch[0])
    logits, maps = first.classifier.with_maps(features)
    assert torch.allclose(logits, first(batch[0]))
    rest = slow_erase(features, maps, predicted(logits, "bce"), 0.6)
    assert torch.allclose(second(batch[0]), second.classifier(rest))


def test_maps_are_those_of_the_linear_layer(learner: Learner, batch: tuple[Tensor, Tensor]) -> None:
    """Mean of the class map + bias = the logit, as for the 1x1 convolution of the paper."""
    first = learner.networks[0].body
    logits, maps = first.classifier.with_maps(first.trunk(batch[0]))
    assert torch.allclose(maps.mean((2, 3)) + first.classifier.fc.bias, logits, atol=1e-5)


def test_weights_come_back(two_convs: Backbone, learner: Learner, batch: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(9)
    again = ACoL(backbone=two_convs, width=6).learner(2, pretrained=False)
    again.load_state_dict(learner.state_dict())
    for ours, theirs in zip(learner.eval().networks, again.eval().networks, strict=True):
        assert torch.equal(ours(batch[0]), theirs(batch[0]))


def test_a_network_that_cannot_be_cut_is_an_error() -> None:
    with pytest.raises(CamForgeError, match="acol: backbone 'crooked' cannot be cut at its last stage"):
        ACoL(backbone=Crooked()).learner(2)
