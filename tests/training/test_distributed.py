"""What several processes share out: every part of it is that of one process, to the digits of float64."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.multiprocessing.spawn import spawn

from camforge.data.geometry import random_crop
from camforge.training import distributed


@pytest.mark.parametrize(("images", "processes"), [(16, 2), (7, 3), (2, 2), (1, 2)])
def test_shares_make_the_batch(images: int, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each image once; every process has all of them where there are fewer images than processes."""
    monkeypatch.setattr(distributed, "size", lambda: processes)
    shares = []
    for rank in range(processes):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shares.append(list(range(images))[distributed.share(images)])
    if images < processes:
        assert shares == [list(range(images))] * processes
    else:
        assert sorted(image for share in shares for image in share) == list(range(images))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_random_crops_of_a_share_are_those_of_the_batch() -> None:
    pixels = torch.randint(0, 256, (7, 3, 12, 10), dtype=torch.uint8)
    torch.manual_seed(5)
    whole = random_crop(pixels, 8)
    for mine in (slice(0, None, 3), slice(1, None, 3), slice(2, None, 3)):
        torch.manual_seed(5)
        assert torch.equal(random_crop(pixels[mine], 8, len(pixels), mine), whole[mine])
    assert len({tuple(image.flatten().tolist()) for image in whole}) == 7


def norm() -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(3).double()
    nn.init.uniform_(layer.weight, generator=torch.Generator().manual_seed(1))
    return layer


def step(layer: nn.Module, images: Tensor, factors: Tensor) -> Tensor:
    """The gradient of some function of a training step's output."""
    images = images.clone().requires_grad_()
    (layer(images) * factors).square().sum().backward()
    assert images.grad is not None
    return images.grad


def batch(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(count)
    images, factors = torch.randn(2, count, 3, 4, 5, generator=generator, dtype=torch.float64)
    return images, factors


def in_a_process(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    layer = distributed.synchronise_batch_norms(norm())
    found = []
    for count in (5, 1):  # shared out unevenly; fewer than processes
        images, factors = batch(count)
        mine = distributed.share(count)
        distributed.share_statistics(layer, count >= 2)
        found.append(step(layer, images[mine], factors[mine]))
    torch.save({"gradients": found, **layer.state_dict()}, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_batch_normalisation_is_over_the_whole_batch(tmp_path: Path) -> None:
    spawn(in_a_process, (tmp_path,), nprocs=2)
    layer = norm()
    expected = [step(layer, *batch(5)), step(layer, *batch(1))]
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for gradient, whole in zip(found["gradients"], (expected[0][rank::2], expected[1]), strict=True):
            torch.testing.assert_close(gradient, whole, rtol=1e-12, atol=1e-12)
        for name, value in layer.state_dict().items():
            torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12)
