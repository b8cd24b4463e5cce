"""Prototypes of classes and of their context, against loops over places and against K-means of known clusters."""

from collections.abc import Callable

import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor
from torch.nn.functional import normalize

from camforge.api import CamForgeError, SeedLearner
from camforge.capture import extract_maps
from camforge.host.registry import build
from camforge_plugins.trainers.lpcam import LPCAM, Prototypes, class_places

SINGLE = {"name": "single", "backbone": "small"}
SEEDS = {"trainer": SINGLE, "extractor": {"name": "layercam"}}


def trainer(**options: object) -> LPCAM:
    made = build("trainer", {"name": "lpcam", "backbone": "small", "seeds": SEEDS, "clusters": 3, **options})
    assert isinstance(made, LPCAM)
    return made


def learner(outputs: int = 2, **options: object) -> SeedLearner:
    torch.manual_seed(1)
    return trainer(**options).learner(outputs, pretrained=False)


def test_places_one_by_one() -> None:
    seeds = torch.zeros(2, 2, 2, 4)
    seeds[0, 0] = torch.tensor([[1.0, 0.6, 0.2, 0.0], [0.8, 0.5, 0.1, 0.0]])
    seeds[1, 1] = torch.tensor([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    own, context = class_places(seeds, (1, 2), 0.4).tolist()
    assert own == [[True, False, False, False], [False, False, False, True]]  # means .725 and .075, 0 and .5
    assert context == [[False, True, False, False], [False, False, True, False]]


def slow_losses(one: SeedLearner, images: Tensor, seeds: Tensor, foreground: float) -> tuple[list[float], Tensor]:
    """Both losses place by place, and (2, K, k, K) the sums of class activation maps at the places of each centre."""
    body = one.networks[0].body
    kept: list[Tensor] = []
    for layer in body.layers:
        body.classifier.get_submodule(layer).register_forward_hook(lambda _m, _i, out: kept.append(out.detach()))
    body.classifier(images)
    grid, last = kept
    weight, centres = body.classifier.fc.weight.detach(), body.prototypes.centres().detach()
    sums, losses = torch.zeros_like(body.prototypes.sums), []
    for kind in range(2):
        means = []
        for k in range(seeds.shape[1]):
            apart = []
            for i, y, x in torch.ones_like(grid[:, 0]).nonzero().tolist():
                if seeds[i, k].max() == 0 or (seeds[i, k, y, x] > foreground) != (kind == 0):
                    continue
                cosines = [float(grid[i, :, y, x] @ c / grid[i, :, y, x].norm() / c.norm()) for c in centres[kind, k]]
                nearest = max(range(len(cosines)), key=cosines.__getitem__)
                apart.append(1 - cosines[nearest])
                sums[kind, k, nearest] += weight @ last[i, :, y, x]
            means += [sum(apart) / len(apart)] if apart else []
        losses.append(sum(means) / len(means))
    return losses, sums


def test_the_losses_and_the_scores_place_by_place() -> None:
    one = learner(3, layer="stage3", foreground=0.6).double().train()
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64, generator=generator)
    seeds = torch.rand(3, 3, 8, 8, dtype=torch.float64, generator=generator)
    seeds *= torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0]])[:, :, None, None]
    found = one.losses(images, seeds)
    expected, sums = slow_losses(one, images, seeds, 0.6)
    assert [float(value.detach()) for value in found.values()] == pytest.approx(expected, rel=1e-9)
    prototypes = one.networks[0].body.prototypes
    torch.testing.assert_close(prototypes.sums, sums, rtol=1e-9, atol=1e-12)
    assert prototypes.counts[:, 2].sum() == 0  # no image shows it
    assert float(prototypes.means()[:, 2].detach().abs().sum()) == 0
    one.losses(images, seeds)
    torch.testing.assert_close(prototypes.sums, 1.9 * sums, rtol=1e-6, atol=1e-9)  # 0.9 of the batch before
    before = prototypes.sums.clone()
    one.eval().losses(images, seeds)
    assert torch.equal(prototypes.sums, before)


def test_the_centres_become_those_of_kmeans() -> None:
    generator = torch.Generator().manual_seed(3)
    directions = normalize(torch.randn(3, 16, generator=generator))
    features = normalize(directions.repeat(60, 1) + 0.08 * torch.randn(180, 16, generator=generator))
    torch.manual_seed(2)
    prototypes = Prototypes(16, 1, trainer()).train()
    optimizer = torch.optim.Adam(prototypes.parameters(), 0.03)
    chosen = torch.stack([torch.ones(1, 180, dtype=torch.bool), torch.zeros(1, 180, dtype=torch.bool)])
    for _ in range(150):
        loss = prototypes.distances(features, features[:, :1], chosen)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
    fitted = KMeans(3, n_init=5, random_state=0).fit(features.numpy())
    expected = normalize(torch.from_numpy(fitted.cluster_centers_).float())
    nearest = expected @ prototypes.centres()[0, 0].detach().T
    assert sorted(nearest.argmax(1).tolist()) == [0, 1, 2]
    assert float(nearest.amax(1).min()) > 0.999
    assert float(loss[0].detach()) == pytest.approx(1 - float((features @ expected.T).amax(1).mean()), rel=0.02)
    assert float(loss[1].detach()) == 0


def test_which_centres_are_prototypes() -> None:
    prototypes = Prototypes(4, 2, trainer(clusters=4, sure=0.8, context=[0.1, 0.6]))
    shares = torch.tensor(
        [[[0.9, 0.85, 0.3, 0.7], [0.2, 0.5, 0.1, 0.4]], [[0.05, 0.2, 0.9, 0.5], [0.7, 0.65, 0.99, 0.01]]]
    )
    prototypes.counts.fill_(2.0)
    logits = torch.log(shares / (1 - shares))
    prototypes.sums[:, 0, :, 0], prototypes.sums[:, 1, :, 1] = 2 * logits[:, 0], 2 * logits[:, 1]
    assert prototypes.kept().int().tolist() == [[[1, 1, 0, 0], [0, 1, 0, 0]], [[0, 1, 0, 1], [0, 0, 0, 0]]]
    prototypes.counts[0, 1, 1] = 0  # the best of class 1 never had a place
    assert prototypes.kept()[0, 1].int().tolist() == [0, 0, 0, 1]


def test_the_classifier_stays_and_goes_on_to_other_trainers(
    learned_in_a_step: Callable[[SeedLearner], set[str]],
) -> None:
    found = build("trainer", SINGLE).learner(2)
    one = learner()
    one.take_over(list(found.networks))  # type: ignore[arg-type]
    changed = learned_in_a_step(one)
    assert {name.rpartition(".")[2] for name in changed} == {"counts", "moved", "start", "sums"}
    places = build("trainer", {"name": "pixels", "backbone": "small", "seeds": SEEDS}).learner(2)
    places.take_over(list(one.networks))
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(places.eval().networks[0](images), found.eval().networks[0](images), rtol=0, atol=0)


@pytest.mark.parametrize("arch", ["squeezenet1_1", "mobilenet_v3_small"])
def test_a_head_that_makes_no_class_activation_maps(arch: str) -> None:
    backbone = {"name": "torchvision", "arch": arch, "weights": None}
    with pytest.raises(CamForgeError, match="must go through global average pooling and one linear layer"):
        learner(backbone=backbone)


def test_options_that_contradict_each_other() -> None:
    with pytest.raises(CamForgeError, match=r"context \[0\.9, 0\.1\]: give the lower bound first"):
        trainer(context=[0.9, 0.1])
    with pytest.raises(CamForgeError, match="backbone 'small' has no layer 'nowhere'"):
        learner(layer="nowhere")


def test_maps_are_read_where_noise_on_the_image_hardly_moves_them() -> None:
    """A stage of 2x2 places, each of which looks at the whole image."""
    torch.manual_seed(0)
    backbone = {"name": "torchvision", "arch": "mobilenet_v2", "weights": None}
    one = trainer(backbone=backbone, layer="features.17").learner(3, pretrained=False).train()
    one.losses(torch.rand(3, 3, 64, 64), torch.rand(3, 3, 8, 8) * torch.eye(3)[..., None, None])
    found = extract_maps(one.eval().networks[0], torch.rand(2, 3, 64, 64), [build("extractor", "lpcam")], [[0], [1]])
    assert [maps.shape for maps in found.maps[0]] == [(2, 2, 2)]
