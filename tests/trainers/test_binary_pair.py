"""The pair classifier."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from camforge.api import Backbone, CamForgeError
from camforge_plugins.trainers.binary_pair import BinaryPair


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
