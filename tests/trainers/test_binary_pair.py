"""The pair classifier."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from camforge.api import Backbone, CamForgeError
from camforge_plugins.trainers.binary_pair import BinaryPair, balanced_loss


def test_two_way_softmax(two_convs: Backbone) -> None:
    learner = BinaryPair(backbone=two_convs).learner(2)
    images, owners = torch.rand(5, 3, 9, 9), torch.tensor([0, 1, 1, 0, 1])
    losses = learner.losses(images, torch.eye(2)[owners])
    logits = learner.networks[0](images)
    assert torch.allclose(losses["loss"], cross_entropy(logits, owners))
    assert losses["accuracy"].item() == pytest.approx((logits.argmax(1) == owners).float().mean().item())


def test_the_papers_settings(two_convs: Backbone) -> None:
    trainer = BinaryPair(backbone=two_convs)
    assert (trainer.epochs, trainer.batch_size, trainer.lr, trainer.stop_at_accuracy) == (10, 24, 1e-4, 0.95)


def test_other_views_are_refused(two_convs: Backbone) -> None:
    with pytest.raises(CamForgeError, match="tells 2 classes apart, this view has 20 outputs"):
        BinaryPair(backbone=two_convs).learner(20)


def test_a_balanced_loss_is_the_mean_of_the_classes_means() -> None:
    rows, owners = [[2.0, -1.0], [0.5, 0.0], [-1.0, 3.0], [0.0, 1.0]], [0, 1, 1, 1]
    each = [math.log(sum(map(math.exp, row))) - row[owner] for row, owner in zip(rows, owners, strict=True)]
    logits, targets = torch.tensor(rows, dtype=torch.float64), torch.eye(2, dtype=torch.float64)[owners]
    assert balanced_loss(logits, targets).item() == pytest.approx((each[0] + sum(each[1:]) / 3) / 2, rel=1e-12)
    assert balanced_loss(logits[1:], targets[1:]).item() == pytest.approx(sum(each[1:]) / 3, rel=1e-12)  # one class


def test_balanced_pairs_learn_as_others_from_equally_many_images(two_convs: Backbone) -> None:
    learner = BinaryPair(backbone=two_convs, balanced=True).learner(2)
    images, owners = torch.rand(4, 3, 9, 9), torch.tensor([0, 1, 1, 0])
    losses = learner.losses(images, torch.eye(2)[owners])
    assert torch.allclose(losses["loss"], cross_entropy(learner.networks[0](images), owners))
