"""Metrics that remove parts from the scene, against loops over its parts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from slow import Pair, expected, found

from camforge.api import CamForgeError
from camforge.testing import example_metric_input
from camforge_plugins.metrics.faithfulness.part_deletion import PartDeletion
from camforge_plugins.metrics.faithfulness.part_distractibility import PartDistractibility


def parts(pair: Pair) -> tuple[list[float], list[float]]:
    """Of each part of the scene what the map says of it, and what its loss costs."""
    told, drops = [], []
    mask, part_of = pair.seen.batch.masks[pair.place], pair.seen.batch.parts[pair.place]
    for part in (1, 2):
        for label in pair.seen.batch.labels[pair.place].nonzero().flatten().tolist():
            gone = (mask == 1 + label) & (part_of == part)
            if gone.any():
                image = pair.image.clone()
                image[:, gone] = 0  # the example's scenes are "drawn" so
                told.append(float(pair.cam[gone].sum()))
                drops.append(pair.score(pair.image) - pair.score(image))
    return told, drops


def test_part_deletion() -> None:
    def correlation(pair: Pair) -> float:
        return float(stats.spearmanr(*parts(pair))[0])

    def hit(pair: Pair) -> float:
        told, drops = parts(pair)
        return 100.0 * (np.argmax(told) == np.argmax(drops))

    assert found(PartDeletion()) == pytest.approx(expected(correlation), abs=1e-9)
    assert found(PartDeletion(), name="part_hit") == pytest.approx(expected(hit))


def test_part_distractibility() -> None:
    def slow(pair: Pair) -> float:
        told, drops = (np.array(values) for values in parts(pair))
        idle = drops <= 0.5 * max(drops.max(), 0)
        return 100 * float((told <= 0.5 * max(told.max(), 0))[idle].mean()) if idle.any() else float("nan")

    want = expected(slow)
    assert 0 < want < 100
    assert found(PartDistractibility(least=0.5)) == pytest.approx(want)


def test_a_map_of_the_effects_is_right_about_every_part() -> None:
    seen = example_metric_input()
    maps = torch.zeros_like(seen.maps, dtype=torch.float64)
    from slow import seen_pairs

    for pair in seen_pairs(seen):
        mask, part_of = seen.batch.masks[pair.place], seen.batch.parts[pair.place]
        regions = [
            (mask == 1 + label) & (part_of == part)
            for part in (1, 2) for label in seen.batch.labels[pair.place].nonzero().flatten().tolist()
        ]  # fmt: skip
        for region, drop in zip(regions, parts(pair)[1], strict=True):
            maps[pair.index][region] = drop / int(region.sum())
    perfect = replace(seen, maps=maps)
    assert found(PartDeletion(), perfect) == pytest.approx(1)
    assert found(PartDeletion(), perfect, "part_hit") == 100
    assert found(PartDistractibility(), perfect) == 100


def test_a_data_set_that_draws_nothing() -> None:
    seen = replace(example_metric_input(), without_part=None)
    with pytest.raises(CamForgeError, match="'part_deletion' needs a data set that draws its images"):
        found(PartDeletion(), seen)
