"""What the learners minimise, and that the two branches are two."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from camforge.api import Backbone, CamForgeError, Network
from camforge_plugins.trainers.single import Single
from camforge_plugins.trainers.two_branch_orthogonal import TwoBranchOrthogonal, feature_norm, orthogonal_loss

F1 = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]], dtype=torch.float64)
F2 = torch.tensor([[0.5, 0.0, 4.0], [2.0, 1.0, 1.0]], dtype=torch.float64)


@pytest.fixture
def batch():
    return torch.rand(4, 3, 10, 10), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])


def test_orthogonal_loss_reference_values() -> None:
    assert orthogonal_loss(F1, F2).item() == pytest.approx(4.5, abs=1e-12)
    assert orthogonal_loss(F1, F2, "batch_mean").item() == pytest.approx(2.25, abs=1e-12)
    maps = torch.arange(16, dtype=torch.float64).reshape(1, 4, 2, 2) / 10
    assert orthogonal_loss(maps, maps.flip(-1)).item() == pytest.approx(12.32, abs=1e-12)
    pooled = maps.mean((2, 3)), maps.flip(-1).mean((2, 3))
    assert orthogonal_loss(*pooled).item() == pytest.approx(3.05, abs=1e-12)


@pytest.mark.parametrize(("reduction", "divisor"), [("sum", 1), ("batch_mean", 2)])
def test_gradient_is_the_other_branch_at_zeros_too(reduction: str, divisor: int) -> None:
    first = F1.clone().requires_grad_()
    orthogonal_loss(first, F2, reduction).backward()
    assert torch.equal(first.grad, F2 / divisor)


def test_signed_features_cannot_drive_the_loss_below_zero() -> None:
    first, second = torch.tensor([[1.0, -2.0]]), torch.tensor([[-3.0, -0.5]])
    assert orthogonal_loss(first, second).item() == 4.0  # |-3| + |1|


def test_feature_norm_is_the_mean_of_the_images_norms() -> None:
    assert feature_norm(torch.tensor([[3.0, 4.0], [0.0, 1.0]])).item() == pytest.approx(3.0)


def test_single_learner_minimises_bce(two_convs: Backbone, batch: tuple[Tensor, Tensor]) -> None:
    learner = Single(backbone=two_convs).learner(2)
    losses = learner.losses(*batch)
    assert torch.allclose(losses["loss"], bce(learner.networks[0](batch[0]), batch[1]))
    assert [name for name in losses if "loss" in name] == ["loss"]


@pytest.mark.parametrize("features", ["maps", "pooled"])
@pytest.mark.parametrize("reduction", ["sum", "batch_mean"])
def test_two_branches_minimise_their_sum(
    two_convs: Backbone, batch: tuple[Tensor, Tensor], features: str, reduction: str
) -> None:
    trainer = TwoBranchOrthogonal(backbone=two_convs, weight=0.01, features=features, reduction=reduction)
    learner = trainer.learner(2)
    losses = learner.losses(*batch)
    logits, maps = zip(*(network.features(batch[0]) for network in learner.networks), strict=True)
    maps = [m.double() for m in maps] if features == "maps" else [m.double().mean((2, 3)) for m in maps]
    overlap = sum(a * b for a, b in zip(maps[0].flatten().tolist(), maps[1].flatten().tolist(), strict=True))
    overlap = overlap if reduction == "sum" else overlap / 4
    expected = bce(logits[0], batch[1]).item() + bce(logits[1], batch[1]).item() + 0.01 * overlap
    total = sum(value for name, value in losses.items() if "loss" in name)
    assert total.item() == pytest.approx(expected, rel=1e-5)
    assert losses["overlap"].item() == pytest.approx(overlap, rel=1e-5)


def test_branches_start_apart_and_share_nothing(two_convs: Backbone) -> None:
    first, second = TwoBranchOrthogonal(backbone=two_convs).learner(3).networks
    mine, theirs = list(first.parameters()), list(second.parameters())
    assert not {id(p) for p in mine} & {id(p) for p in theirs}
    assert not any(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_a_branch_learns_nothing_from_the_other_without_the_orthogonal_loss(
    two_convs: Backbone, batch: tuple[Tensor, Tensor]
) -> None:
    learner = TwoBranchOrthogonal(backbone=two_convs).learner(2)
    learner.losses(*batch)["loss_first"].backward()
    assert all(p.grad is not None for p in learner.networks[0].parameters())
    assert all(p.grad is None for p in learner.networks[1].parameters())


def test_the_default_is_the_reading_that_trains(two_convs: Backbone) -> None:
    """configs/studies/README.md: both cross entropies fall from scratch and from pretrained networks."""
    trainer = TwoBranchOrthogonal(backbone=two_convs)
    assert (trainer.features, trainer.reduction, trainer.weight) == ("pooled", "batch_mean", 1e-4)


def test_equal_branches_are_refused(constant_backbone: Backbone) -> None:
    with pytest.raises(CamForgeError, match="'two_convs': its two branches start equal"):
        TwoBranchOrthogonal(backbone=constant_backbone).learner(2)


@pytest.mark.parametrize(("features", "weight"), [("maps", 0.1), ("pooled", 10.0)])
def test_training_lowers_the_overlap(
    two_convs: Backbone, batch: tuple[Tensor, Tensor], features: str, weight: float
) -> None:
    learner = TwoBranchOrthogonal(backbone=two_convs, features=features, weight=weight).learner(2)
    history = []
    for _ in range(20):
        losses = learner.losses(*batch)
        total = sum(value for name, value in losses.items() if "loss" in name)
        parameters = list(learner.parameters())
        with torch.no_grad():
            for parameter, gradient in zip(parameters, torch.autograd.grad(total, parameters), strict=True):
                parameter -= 0.05 * gradient
        history.append(losses["overlap"].item())
    assert history[-1] < 0.5 * history[0]
    assert all(isinstance(network, Network) for network in learner.networks)
