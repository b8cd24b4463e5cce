"""CamForge's contracts, run on the data set and the trainer, and what can be said of them by hand."""

import pytest
import torch
from camforge_dials import Dials, Smoothed

from camforge.testing import DatasetContract, TrainerContract, small_backbone


class TestDials(DatasetContract):
    cases = (Dials(train=8, val=4), Dials(size=16, train=4, val=4))


class TestSmoothed(TrainerContract):
    cases = tuple(Smoothed.model_validate({"backbone": small_backbone(), "smoothing": s}) for s in (0.0, 0.1))


@pytest.mark.parametrize(("i", "where"), [(0, "north"), (1, "east"), (2, "south"), (3, "west")])
def test_the_hand_points_where_the_class_says(i, where):
    dials = Dials(train=4, val=4).open("train")
    assert dials.classes[i] == where
    sample = dials.load(i)
    rows, columns = (sample.mask == i + 1).nonzero(as_tuple=True)
    reach = {"north": -rows, "south": rows, "west": -columns, "east": columns}[where]
    spans = {"rows": int(rows.max() - rows.min()), "columns": int(columns.max() - columns.min())}
    assert max(spans, key=spans.get) == ("rows" if where in ("north", "south") else "columns")
    assert int(reach.max() - reach.min()) == 15  # a third of 48 pixels
    assert sample.image[:, sample.mask == i + 1].min() >= 160


def test_the_loss_by_hand():
    """One output with logit 0: the loss is log 2 whatever the target."""
    learner = Smoothed.model_validate({"backbone": small_backbone(), "smoothing": 0.2}).learner(1, pretrained=False)
    learner.networks[0] = torch.nn.Identity()
    for target in (0.0, 1.0):
        loss = learner.losses(torch.zeros(3, 1), torch.full((3, 1), target))["loss"]
        assert float(loss) == pytest.approx(0.6931471805599453)
    sure = learner.losses(torch.full((1, 1), 2.0), torch.ones(1, 1))["loss"]
    softplus = torch.nn.functional.softplus(torch.tensor(-2.0))
    assert float(sure) == pytest.approx(float(0.9 * softplus + 0.1 * (softplus + 2)), rel=1e-6)
