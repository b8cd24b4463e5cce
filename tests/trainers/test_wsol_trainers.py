"""Hide-and-Seek, CutMix and attention-based dropout, against what their papers say place by place."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from camforge.api import Backbone, CamForgeError
from camforge_plugins.trainers.adl import ADL, kept
from camforge_plugins.trainers.cutmix import CutMix, pasted
from camforge_plugins.trainers.has import HaS, hidden


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    return torch.rand(6, 3, 12, 12), torch.eye(3)[[0, 1, 2, 0, 1, 2]]


def test_hidden_patches_are_whole_and_as_many_as_the_probability_says() -> None:
    images = torch.rand(500, 3, 10, 14) + 1
    gone = (hidden(images, (4,), 0.3) == 0).all(1)
    assert torch.equal(hidden(images, (4,), 0.0), images)
    for top in range(0, 10, 4):
        for left in range(0, 14, 4):
            patch = gone[:, top : top + 4, left : left + 4].flatten(1)
            assert torch.equal(patch.all(1), patch.any(1))
            assert patch.any(1).float().mean().item() == pytest.approx(0.3, abs=0.1)


def test_images_draw_their_own_size_of_patches() -> None:
    """With patches of 1 and of 12 of 12 pixels an image is speckled, whole or gone."""
    gone = (hidden(torch.ones(200, 3, 12, 12), (1, 12), 0.5) == 0).float().mean((1, 2, 3))
    speckled = (gone > 0) & (gone < 1)
    assert 60 < speckled.sum() < 140
    assert (gone == 0).any()
    assert (gone == 1).any()


def test_a_side_of_nothing_leaves_the_image_whole() -> None:
    whole = (hidden(torch.ones(300, 3, 12, 12), (0, 4), 0.9) == 1).flatten(1).all(1).float().mean()
    assert whole.item() == pytest.approx(0.5 + 0.5 * 0.1**9, abs=0.12)


def test_has_learns_from_hidden_images(two_convs: Backbone, batch: tuple[Tensor, Tensor]) -> None:
    learner = HaS(backbone=two_convs, loss="softmax", patches=(3, 5)).learner(3)
    torch.manual_seed(1)
    loss = learner.losses(*batch)["loss"]
    torch.manual_seed(1)
    logits = learner.networks[0](hidden(batch[0], (3, 5), 0.5))
    torch.testing.assert_close(loss, cross_entropy(logits, batch[1].argmax(1)))


def test_the_pasted_box_has_the_share_that_is_told() -> None:
    shares = []
    for _ in range(400):
        mixed, share = pasted(torch.zeros(2, 3, 20, 30), torch.ones(2, 3, 20, 30), 1.0)
        assert 1 - mixed.mean().item() == pytest.approx(share, abs=1e-6)
        rows, columns = mixed[0, 0].nonzero(as_tuple=True)
        if len(rows):
            box = mixed[:, :, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert bool((box == 1).all())
        shares.append(share)
    assert min(shares) < 0.4
    assert max(shares) > 0.95
    assert sum(shares) / 400 > 0.5  # a uniform share would have 0.5; boxes that the border cuts leave more


def test_cutmix_counts_both_labels_by_their_pixels(two_convs: Backbone, batch: tuple[Tensor, Tensor]) -> None:
    images, targets = batch
    learner = CutMix(backbone=two_convs, loss="softmax").learner(3)
    torch.manual_seed(2)
    loss = learner.losses(images, targets)["loss"]
    torch.manual_seed(2)
    torch.rand(())
    others = torch.randperm(6)
    mixed, share = pasted(images, images[others], 1.0)
    classes = targets.argmax(1)
    logits = learner.networks[0](mixed)
    expected = sum(share * cross_entropy(logits[i], classes[i]) for i in range(6))
    expected += sum((1 - share) * cross_entropy(logits[i], classes[others][i]) for i in range(6))
    torch.testing.assert_close(loss, expected / 6)
    whole = CutMix(backbone=two_convs, loss="softmax", probability=0.0).learner(3)
    torch.testing.assert_close(whole.losses(images, targets)["loss"], cross_entropy(whole.networks[0](images), classes))


def test_dropped_are_the_places_above_the_share_of_the_strongest() -> None:
    features = torch.rand(2, 5, 4, 3)
    mask = kept(features, 0.8)
    for image in range(2):
        means = [[features[image, :, y, x].mean().item() for x in range(3)] for y in range(4)]
        top = max(map(max, means))
        expected = [[float(value <= 0.8 * top) for value in row] for row in means]
        assert mask[image, 0].tolist() == expected


@pytest.mark.parametrize("drop_rate", [0.0, 1.0])
def test_adl_changes_the_layers_while_it_learns_and_nothing_afterwards(
    two_convs: Backbone, batch: tuple[Tensor, Tensor], drop_rate: float
) -> None:
    images, targets = batch
    learner = ADL(backbone=two_convs, loss="softmax", layers=("1",), drop_rate=drop_rate).learner(3)
    body = learner.networks[0].body
    features = body[:2](images)
    changed = features * (kept(features, 0.8) if drop_rate else features.mean(1, keepdim=True).sigmoid())
    loss = learner.losses(images, targets)["loss"]
    torch.testing.assert_close(loss, cross_entropy(body[2:](changed), targets.argmax(1)))
    torch.testing.assert_close(learner.networks[0](images), body[2:](features))
    assert not any(module._forward_hooks for module in learner.modules())


def test_adl_without_layers_takes_the_last_stages_and_refuses_one_that_is_not_there(two_convs: Backbone) -> None:
    assert ADL(backbone=two_convs).learner(2).layers == ("1", "3")
    with pytest.raises(CamForgeError, match=r"adl: backbone 'two_convs' has no layer 'features\.3'"):
        ADL(backbone=two_convs, layers=("features.3",)).learner(2)
