"""The classifier of places and what it learns from."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from camforge.api import CamForgeError, SeedLearner
from camforge.host.registry import build
from camforge_plugins.trainers.heads import sure_places
from camforge_plugins.trainers.pixels import Pixels

SEEDS = {"trainer": {"name": "single", "backbone": "small"}, "extractor": {"name": "layercam"}}


def learner(**options: object) -> SeedLearner:
    torch.manual_seed(1)
    trainer = build("trainer", {"name": "pixels", "backbone": "small", "seeds": SEEDS, **options})
    assert isinstance(trainer, Pixels)
    return trainer.learner(2, pretrained=False)


def test_sure_places_one_by_one() -> None:
    seeds = torch.tensor([[[[0.9, 0.6, 0.3, 0.1]], [[0.0, 0.8, 0.4, 0.1]]]])
    assert sure_places(seeds, (1, 4), 0.5, 0.2).tolist() == [[[1, 2, -1, 0]]]
    assert sure_places(seeds, (1, 2), 0.5, 0.25).tolist() == [[[1, -1]]]  # means .75 and .4, then .2 and .25


def test_the_255th_class_is_a_class() -> None:
    seeds = torch.zeros(1, 300, 1, 2)
    seeds[0, 254, 0, 0] = seeds[0, 299, 0, 1] = 1
    assert sure_places(seeds, (1, 2), 0.5, 0.2).tolist() == [[[255, 300]]]


def test_the_loss_is_the_mean_cross_entropy_of_the_sure_places() -> None:
    one = learner(foreground=0.6).double().eval()
    images, seeds = torch.randn(2, 3, 32, 32, dtype=torch.float64), torch.rand(2, 2, 16, 16, dtype=torch.float64)
    body = one.networks[0].body
    kept: list[Tensor] = []
    body.pixels.register_forward_hook(lambda _m, _i, out: kept.append(out))
    loss = one.losses(images, seeds)["loss_pixels"]
    shares, wanted = kept[0].detach().exp(), sure_places(seeds, (kept[0].shape[2], kept[0].shape[3]), 0.6, 0.2)
    shares = shares / shares.sum(1, keepdim=True)
    terms = [
        -float(shares[i, wanted[i, y, x], y, x].log())
        for i, y, x in (wanted != -1).nonzero().tolist()
    ]  # fmt: skip
    assert 0 < len(terms) < wanted.numel()
    assert float(loss.detach()) == pytest.approx(sum(terms) / len(terms), rel=1e-9)


def test_frozen_only_the_places_learn(learned_in_a_step: Callable[[SeedLearner], set[str]]) -> None:
    changed = learned_in_a_step(learner())
    assert changed
    assert all(".pixels." in name for name in changed)


def test_it_takes_over_the_network_that_found_the_seeds() -> None:
    found = build("trainer", SEEDS["trainer"]).learner(2)  # type: ignore[arg-type]
    one = learner()
    one.take_over(list(found.networks))  # type: ignore[arg-type]
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(one.eval().networks[0](images), found.eval().networks[0](images), rtol=0, atol=0)


def test_another_backbone_is_one_line() -> None:
    other = build("backbone", {"name": "small", "widths": [4, 4], "strides": [2, 1], "blocks": ["plain", "plain"]})
    with pytest.raises(CamForgeError, match=r"seeds\.trainer's backbone is not this trainer's"):
        learner().take_over([other.build(2)])


def test_an_unknown_layer_is_one_line() -> None:
    with pytest.raises(CamForgeError, match="backbone 'small' has no layer 'nowhere'"):
        learner(layers=["nowhere"])
