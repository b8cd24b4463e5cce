"""Affinities learned from seeds, against loops over pairs."""

import math

import pytest
import torch
from torch import Tensor

from camforge.api import CamForgeError, SeedLearner
from camforge.host.registry import build
from camforge_plugins.neighbours import half_disc
from camforge_plugins.trainers.affinity import affinity_loss

SEEDS = {"trainer": {"name": "single", "backbone": "small"}, "extractor": {"name": "layercam"}}


def learner(**options: object) -> SeedLearner:
    torch.manual_seed(1)
    trainer = build("trainer", {"name": "affinity", "backbone": "small", "seeds": SEEDS, **options})
    found = trainer.learner(2, pretrained=False)
    assert isinstance(found, SeedLearner)
    return found


def slow_loss(features: Tensor, labels: Tensor, radius: int) -> float:
    """AffinityNet's loss, every pair of places of every image once."""
    terms: dict[str, list[float]] = {"foreground": [], "background": [], "unlike": []}
    places = [(y, x) for y in range(labels.shape[1]) for x in range(labels.shape[2])]
    for values, classes in zip(features, labels, strict=True):
        for i, one in enumerate(places):
            for other in places[i + 1 :]:
                if math.dist(one, other) >= radius or -1 in (classes[one], classes[other]):
                    continue
                alike = math.exp(-float((values[:, one[0], one[1]] - values[:, other[0], other[1]]).abs().sum()))
                if classes[one] != classes[other]:
                    terms["unlike"].append(-math.log(1 - alike))
                else:
                    terms["foreground" if classes[one] else "background"].append(-math.log(alike))
    means = {name: sum(found) / len(found) for name, found in terms.items()}
    return means["foreground"] + means["background"] + 2 * means["unlike"]


@pytest.mark.parametrize("radius", [2, 4])
def test_the_loss_pair_by_pair(radius: int) -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(2, 3, 5, 6, dtype=torch.float64, generator=generator)
    labels = torch.tensor([0, 1, 2, -1])[torch.randint(0, 4, (2, 5, 6), generator=generator)]
    expected = slow_loss(features, labels, radius)
    assert float(affinity_loss(features, labels, radius)) == pytest.approx(expected, rel=1e-12)


def test_every_near_place_is_met_once() -> None:
    for radius in (2, 3, 5):
        near = {(y, x) for y in range(-9, 10) for x in range(-9, 10) if 0 < math.hypot(y, x) < radius}
        half = half_disc(radius)
        assert len(half) == len(set(half)) == len(near) / 2
        assert {*half, *((-y, -x) for y, x in half)} == near


def test_places_that_are_alike_in_all_have_a_gradient_that_is_finite() -> None:
    features = torch.zeros(1, 2, 3, 3, requires_grad=True)
    labels = torch.tensor([[[0, 1, 2], [-1, -1, -1], [1, 1, 0]]])
    loss = affinity_loss(features, labels, 3)
    loss.backward()
    assert torch.isfinite(loss)
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_seeds_that_are_nowhere_sure_teach_nothing() -> None:
    assert float(affinity_loss(torch.rand(1, 2, 3, 3), torch.full((1, 3, 3), -1), 3)) == 0


def test_the_classifier_stays_and_halves_come_apart() -> None:
    one = learner().train()
    before = {name: value.clone() for name, value in one.state_dict().items()}
    images, seeds = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(3)), torch.zeros(4, 2, 8, 8)
    images[..., :16] -= 2
    seeds[:, 0, :, :4] = 1
    optimizer = torch.optim.Adam(one.parameters(), 0.01)
    first, *_ = losses = [_step(one, optimizer, images, seeds) for _ in range(30)]
    assert losses[-1] < 0.5 * first
    changed = {name for name, value in one.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(".affinity." in name for name in changed)


def _step(one: SeedLearner, optimizer: torch.optim.Optimizer, images: Tensor, seeds: Tensor) -> float:
    (loss,) = one.losses(images, seeds).values()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def test_an_unknown_layer_is_one_line() -> None:
    with pytest.raises(CamForgeError, match="affinity: backbone 'small' has no layer 'nowhere'"):
        learner(layers=["nowhere"])
