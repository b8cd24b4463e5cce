"""Boundaries and displacements learned from seeds, against loops over pairs and places."""

import math
from itertools import product

import pytest
import torch
from extractor_references import line
from torch import Tensor

import camforge
from camforge.api import CamForgeError, SeedLearner
from camforge.host.registry import build
from camforge_plugins.neighbours import half_disc, path
from camforge_plugins.trainers.heads import SurePairs
from camforge_plugins.trainers.irn import boundary_loss, displacement_loss

SEEDS = {"trainer": {"name": "single", "backbone": "small"}, "extractor": {"name": "layercam"}}


def learner(**options: object) -> SeedLearner:
    torch.manual_seed(1)
    trainer = build("trainer", {"name": "irn", "backbone": "small", "seeds": SEEDS, "hidden": 8, **options})
    found = trainer.learner(2, pretrained=False)
    assert isinstance(found, SeedLearner)
    return found


def slow_losses(boundaries: Tensor, fields: Tensor, labels: Tensor, radius: int) -> tuple[float, float]:
    """IRN's equations 4 to 6, every pair of places of every image once; boundaries in (0, 1)."""
    affinities: dict[str, list[float]] = {"foreground": [], "background": [], "unlike": []}
    moved: dict[str, list[float]] = {"foreground": [], "background": []}
    places = list(product(range(labels.shape[1]), range(labels.shape[2])))
    for boundary, field, classes in zip(boundaries, fields, labels, strict=True):
        for i, one in enumerate(places):
            for other in places[i + 1 :]:
                if math.dist(one, other) >= radius or -1 in (classes[one], classes[other]):
                    continue
                affinity = 1 - max(float(boundary[place]) for place in line(one, other))
                if classes[one] != classes[other]:
                    affinities["unlike"].append(-math.log(1 - affinity))
                    continue
                kind = "foreground" if classes[one] else "background"
                affinities[kind].append(-math.log(affinity))
                wanted = [other[a] - one[a] if classes[one] else 0 for a in (0, 1)]
                difference = [float(field[a][one] - field[a][other]) for a in (0, 1)]
                moved[kind].append(sum(abs(d - w) for d, w in zip(difference, wanted, strict=True)))
    means = {kind: sum(values) / len(values) for kind, values in affinities.items()}
    boundary_term = means["foreground"] / 2 + means["background"] / 2 + means["unlike"]
    return boundary_term, sum(sum(values) / len(values) for values in moved.values())


@pytest.mark.parametrize("radius", [2, 4])
def test_the_losses_pair_by_pair(radius: int) -> None:
    generator = torch.Generator().manual_seed(2)
    relations = torch.randn(2, 3, 6, 7, dtype=torch.float64, generator=generator)
    labels = torch.tensor([0, 1, 2, -1])[torch.randint(0, 4, (2, 6, 7), generator=generator)]
    expected = slow_losses(1 / (1 + (-relations[:, 0]).exp()), relations[:, 1:], labels, radius)
    offsets = half_disc(radius)
    pairs = SurePairs.of(labels, offsets)
    assert float(boundary_loss(relations[:, 0], pairs, offsets)) == pytest.approx(expected[0], rel=1e-12)
    assert float(displacement_loss(relations[:, 1:], pairs, offsets)) == pytest.approx(expected[1], rel=1e-12)


def test_a_path_leaves_no_gap_to_slip_through() -> None:
    assert sorted(path((0, 3))) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert sorted(path((1, -1))) == [(0, -1), (0, 0), (1, -1), (1, 0)]
    for offset in half_disc(6):
        assert {(0, 0), offset} <= set(path(offset))
        assert set(path(offset)) == set(line((0, 0), offset))
        back = {(offset[0] - y, offset[1] - x) for y, x in path(offset)}
        assert back == set(path(offset))


def test_displacements_to_the_middle_cost_nothing() -> None:
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    labels = torch.zeros(1, 6, 8, dtype=torch.int64)
    labels[0, 1:5, 2:6] = 1
    field = torch.stack([2.5 - rows, 3.5 - columns])[None] * (labels > 0)[:, None]
    offsets = half_disc(3)
    pairs = SurePairs.of(labels, offsets)
    assert float(displacement_loss(field, pairs, offsets)) == 0
    assert float(displacement_loss(field + 1, pairs, offsets)) == 0  # a constant is not told
    assert float(displacement_loss(-field, pairs, offsets)) > 1


def test_boundaries_that_are_certain_have_a_gradient_that_is_finite() -> None:
    logits = torch.tensor([[[-200.0, 200, -200]]], requires_grad=True)
    offsets = half_disc(3)
    pairs = SurePairs.of(torch.tensor([[[1, 1, 2]]]), offsets)
    loss = boundary_loss(logits, pairs, offsets)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(100, rel=1e-6)  # half of the one like pair, which is cut
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_seeds_that_are_nowhere_sure_teach_nothing() -> None:
    offsets = half_disc(3)
    pairs = SurePairs.of(torch.full((1, 3, 3), -1), offsets)
    assert float(boundary_loss(torch.rand(1, 3, 3), pairs, offsets)) == 0
    assert float(displacement_loss(torch.rand(1, 2, 3, 3), pairs, offsets)) == 0


def test_the_classifier_stays_and_a_boundary_rises_between_halves() -> None:
    one = learner(radius=4).train()
    before = {name: value.clone() for name, value in one.state_dict().items()}
    images, seeds = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(3)), torch.zeros(4, 2, 8, 8)
    images[..., :16] -= 2
    seeds[:, 0, :, :4] = 1
    optimizer = torch.optim.Adam(one.parameters(), 0.02)
    for _ in range(60):
        loss = torch.stack(list(one.losses(images, seeds).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    changed = {name for name, value in one.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(".relations." in name for name in changed)
    kept: list[Tensor] = []
    body = one.eval().networks[0].body
    body.relations.boundary.register_forward_hook(lambda _m, _i, out: kept.append(out.detach()))
    body(images)
    columns = kept[0].sigmoid()[:, 0].mean((0, 1))
    middle = len(columns) // 2
    assert columns[middle - 1 : middle + 1].max() > 0.8
    assert torch.cat([columns[: middle - 3], columns[middle + 3 :]]).max() < 0.3


@pytest.mark.parametrize("trainer", ["irn", "affinity", "pixels"])
def test_thresholds_that_contradict_each_other(trainer: str) -> None:
    spec = {"name": trainer, "backbone": "small", "seeds": SEEDS, "foreground": 0.3}
    with pytest.raises(CamForgeError, match=r"background 0\.4 is above foreground 0\.3"):
        build("trainer", spec | {"background": 0.4})
    build("trainer", spec | {"background": 0.3})


def test_a_walk_needs_one_boundary() -> None:
    network = learner().eval().networks[0]
    walk = {"name": "boundarywalk", "layer": "relations", "steps": 1}
    with pytest.raises(CamForgeError, match="layer 'relations' returns 3 channels: a boundary is one"):
        camforge.explain(network, torch.rand(1, 3, 32, 32), 0, walk)
