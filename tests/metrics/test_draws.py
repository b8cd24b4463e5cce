"""Random numbers that hang on image and place alone."""

import numpy as np
import torch
from scipy import stats

from camforge.testing import example_metric_input
from camforge_plugins.metrics.common.draws import normal, pair_seeds, subsets, uniform


def splitmix64(state: int, count: int) -> list[float]:
    """The published generator, with Python's whole numbers."""
    found, rest = [], 2**64 - 1

    def mixed(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & rest
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & rest
        return z ^ (z >> 31)

    state = mixed(state & rest)
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & rest
        found.append((mixed(state) >> 11) / 2**53)
    return found


def test_splitmix64() -> None:
    seeds = torch.tensor([0, 1, 12345678901234567, -3])
    found = uniform(seeds, (5, 3))
    for seed, row in zip(seeds.tolist(), found, strict=True):
        assert row.flatten().tolist() == splitmix64(seed, 15)


def test_they_are_drawn_from_their_distributions() -> None:
    seeds = torch.arange(40)
    assert stats.kstest(uniform(seeds, (500,)).flatten().numpy(), "uniform").pvalue > 0.01
    assert stats.kstest(normal(seeds, (500,)).flatten().numpy(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(uniform(torch.tensor([1, 2]), (5000,)))[0, 1]) < 0.05


def test_subsets_are_drawn_without_replacement() -> None:
    chosen = subsets(torch.arange(300), 7, 20)
    assert (chosen.sum(1) == 7).all()
    assert (chosen.float().mean(0) - 7 / 20).abs().max() < 0.1


def test_an_image_has_its_seed_in_any_batch() -> None:
    seen = example_metric_input()
    assert len(set(pair_seeds(seen).tolist())) == len(seen.maps)
    assert len(set(pair_seeds(seen, by_class=False).tolist())) == len(seen.batch)
